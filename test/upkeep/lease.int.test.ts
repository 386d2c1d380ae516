import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const RACER = join(import.meta.dirname, '../harness/lease-racer.ts');

it('processes that race for a lease in a directory never hold it together, and one that is killed blocks the others for its time', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lease-'));
  const racers: Racer[] = [];
  try {
    for (let i = 0; i < 3; i += 1) racers.push(startRacer(folder));
    for (let kill = 0; kill < 2; kill += 1) {
      const holder = await nextHolder(racers);
      holder.child.kill('SIGKILL');
      await holder.ended;
      racers.splice(racers.indexOf(holder), 1, startRacer(folder));
    }
    await nextHolder(racers);
    await nextHolder(racers);
  } finally {
    for (const { child } of racers) child.kill('SIGKILL');
    for (const { ended } of racers) await ended;
    rmSync(folder, { recursive: true });
  }
});

interface Racer {
  readonly child: ChildProcess;
  held: number;
  readonly ended: Promise<void>;
}

function startRacer(folder: string): Racer {
  const words = [RACER, join(folder, 'vault'), join(folder, 'place')];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  const racer: Racer = { child, held: 0, ended };
  child.stdout!.on('data', () => {
    racer.held += 1;
  });
  return racer;
}

/** The next one that takes the lease. */
async function nextHolder(racers: readonly Racer[]): Promise<Racer> {
  const before = racers.map(({ held }) => held);
  for (;;) {
    await sleep(5);
    assert.deepEqual(
      racers.map(({ child }) => child.exitCode),
      racers.map(() => null),
      'nobody met another holder',
    );
    const holder = racers.find(({ held }, i) => held > before[i]!);
    if (holder !== undefined) return holder;
  }
}
