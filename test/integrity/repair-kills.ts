import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openVault } from '../../src/cli/wire.ts';
import { planRepair } from '../../src/integrity/repair/repair.ts';
import { readAll } from '../../src/testing/event-store/restoring.ts';
import { apply, backedUpStore, found, portsOf, type RepairPlace } from './repair-cases.ts';

type KillStep = readonly [string, boolean, boolean];

/** Where a repair is killed, and whether the events that were changed are put back then, and those that were missing. */
const STEPS: readonly KillStep[] = [
  ['opened 1', false, false],
  ['put back', false, false],
  ['published 1', true, false],
  ['merged', true, true],
  ['executed', true, true],
  ['published 2', true, true],
];

const AHEAD = 'ffffffff-0000-7000-8000-000000000000';
const BEHIND = '00000000-0000-7000-8000-000000000000';

/** Kills the same repair at each of its steps: the store is then as it was before or after a whole one of them, and a new repair does the rest. */
export async function killAtEachStep(
  t: TestContext,
  makePlace: () => Promise<RepairPlace & { readonly address: string; readonly checkpoints: string }>,
  wanted = STEPS.map(([step]) => step),
): Promise<void> {
  for (const [step, isPutBack, isMerged] of STEPS.filter(([name]) => wanted.includes(name))) {
    const { store, exec, address, checkpoints } = await makePlace();
    const folder = mkdtempSync(path.join(tmpdir(), 'eventcore-repair-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const vault = openVault(folder);
    await vault.open({ create: true });
    await backedUpStore(store, vault);
    const sound = await readAll(store);
    await exec(`UPDATE eventcore_events SET event_type = 'Broken' WHERE stream_id = 'b' AND stream_version = 5;
      DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 4;
      INSERT INTO eventcore_subscription_versions (subscription_name, last_position) VALUES ('ahead', '${AHEAD}')`);
    const damaged = await readAll(store);
    const ahead = found('', 'clamp_checkpoint', { streamId: null, object: 'ahead' });
    const ports = {
      ...(await portsOf(store, vault)),
      recheck: async () => {
        const rows = await exec(`SELECT * FROM eventcore_subscription_versions`);
        return rows.some((row) => row.last_position === AHEAD) ? [ahead] : [];
      },
    };
    const clamp = {
      finding: ahead,
      statements: [
        {
          sql: `UPDATE ${checkpoints} SET last_position = '${BEHIND}'`,
          reason: 'it is ahead',
          before: { sql: `SELECT * FROM ${checkpoints}` },
        },
      ],
    };
    const events = [found('a', 'reinstate_events'), found('b', 'put_back_events')];
    const damage = [...events.map((finding) => ({ finding, statements: [] })), clamp];
    const planned = await planRepair(ports, { found: damage, allowed: 'all' });
    await runAndDie(address, folder, JSON.stringify(planned), step);

    const left = await readAll(store);
    const isFive = ({ streamId, version }: { streamId: unknown; version: number }): boolean =>
      streamId === 'b' && version === 5;
    const half = damaged.map((event) => (isPutBack && isFive(event) ? { ...event, type: 'Tested' } : event));
    assert.deepEqual(left, isMerged ? sound : half, `killed at: ${step}`);
    const kept = await exec('SELECT kind FROM eventcore_repairs ORDER BY kind').catch(() => []);
    const kinds = [
      ...(step === 'published 2' ? ['clamp_checkpoint'] : []),
      ...(isPutBack ? ['put_back_events'] : []),
    ];
    assert.deepEqual(
      kept.map(({ kind }) => kind),
      kinds,
      `killed at: ${step}`,
    );
    // There is word of its beginning and not of its end.
    const again = await planRepair(ports, { found: damage, allowed: 'all' });
    assert.equal(again.unfinished.length, 1, `killed at: ${step}`);
    const result = await untilFree(() => apply(ports, again));
    assert.ok(
      result.steps.every(({ outcome }) => outcome === 'repaired'),
      `killed at: ${step}`,
    );
    assert.deepEqual(await readAll(store), sound, `killed at: ${step}`);
  }
}

/** The server's side of a killed process ends a moment later. */
async function untilFree<Result extends Awaited<ReturnType<typeof apply>>>(
  work: () => Promise<Result>,
): Promise<Result> {
  for (let tries = 0; ; tries += 1) {
    const result = await work();
    const isBusy = result.steps.some(({ reason }) => reason?.includes('another repair') === true);
    if (!isBusy || tries === 50) return result;
    await sleep(100);
  }
}

async function runAndDie(address: string, folder: string, planText: string, step: string): Promise<void> {
  const script = path.join(import.meta.dirname, 'repair-child.ts');
  const child = spawn(process.execPath, [script, address, folder, planText, step], { stdio: 'inherit' });
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals | null>();
  child.once('exit', (_code, signal) => resolve(signal));
  assert.equal(await promise, 'SIGKILL', `it died at: ${step}`);
}
