import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadHistory } from '../dataset.ts';
import type { Ground } from '../ground.ts';
import { sizeText } from '../sizes.ts';
import {
  bestOf,
  type EventBytes,
  type Observation,
  SENT_OVERHEAD_BYTES,
  STORES,
  type StepObservation,
  type Store,
  type Work,
} from './costs.ts';
import { type Observed, observe } from './observe.ts';

export const PARALLEL = [1, 2] as const;

export interface Measurements {
  readonly observations: readonly Observation[];
  readonly bytes: EventBytes;
}

/** Backups, verifications and restores of stores of these sizes, each `runs` times. Takes the sizes one after the other: there is room for one. */
export async function measureSizes(
  ground: Ground,
  sizes: readonly number[],
  runs: number,
  say: (line: string) => void,
): Promise<Measurements> {
  const observations: Observation[] = [];
  let bytes: EventBytes | null = null;
  for (const events of sizes) {
    for (const store of STORES) {
      const source = await fill(ground, store, events);
      for (const parallel of PARALLEL) {
        const rounds: Round[] = [];
        for (let run = 0; run < runs; run += 1)
          rounds.push(await runAll(ground, { store, source, parallel }));
        for (const work of ['backup', 'verify', 'restore'] as const) {
          const steps = bestOf(rounds.map((round) => round.steps[work]));
          observations.push({ work, store, events, parallel, steps });
          say(`${sizeText(events)} ${store}, --parallel ${parallel}, ${work}: ${secondsText(steps)}`);
        }
        if (store === 'postgres') bytes = bytesOf(rounds[0]!.backup, events);
      }
      await empty(ground, store);
    }
  }
  if (bytes === null) throw new Error('nothing was measured');
  return { observations, bytes };
}

function secondsText(steps: readonly StepObservation[]): string {
  return steps.map(({ name, wallSeconds }) => `${name} ${wallSeconds.toFixed(2)} s`).join(', ');
}

const SOURCE = 'scale_source';
const TARGET = 'scale_target';

async function fill({ postgres, folder }: Ground, store: Store, events: number): Promise<string> {
  if (store === 'sqlite') {
    const address = `sqlite:${join(folder, 'scale.db')}`;
    await loadHistory(address, events);
    return address;
  }
  await postgres.createDatabase(SOURCE);
  await loadHistory(postgres.address(SOURCE), events);
  await postgres.exec('VACUUM ANALYZE eventcore_events', SOURCE);
  return postgres.address(SOURCE);
}

async function empty({ postgres, folder }: Ground, store: Store): Promise<void> {
  if (store === 'postgres') await postgres.exec(`DROP DATABASE ${SOURCE}`);
  else removeSqlite(join(folder, 'scale.db'));
}

function removeSqlite(path: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(path + end, { force: true });
}

interface Round {
  readonly steps: Readonly<Record<Work, readonly StepObservation[]>>;
  readonly backup: Observed;
}

/** A backup, its verification, and a restore of it into an empty store. */
async function runAll(
  { postgres, folder, serverPid }: Ground,
  { store, source, parallel }: { store: Store; source: string; parallel: number },
): Promise<Round> {
  const isServer = store === 'postgres';
  const pid = isServer ? serverPid : null;
  const vault = join(folder, 'scale-vault');
  const config = join(folder, 'scale.yaml');
  writeFileSync(config, `backup:\n  parallel: ${parallel}\n`);
  const run = async (args: readonly string[], serverPidOfRun: number | null): Promise<Observed> => {
    await postgres.exec('CHECKPOINT');
    return observe([...args, '--vault', vault, '--config', config], { serverPid: serverPidOfRun });
  };
  try {
    const backup = await run(['backup', 'full', '--store', source], pid);
    const verify = await run(['verify'], null);
    const to = isServer
      ? postgres.address(await postgres.createDatabase(TARGET))
      : `sqlite:${join(folder, 'scale-target.db')}`;
    const restore = await run(['restore', '--to', to], pid);
    const steps = { backup: stepsOf(backup), verify: stepsOf(verify), restore: stepsOf(restore) };
    return { steps, backup };
  } finally {
    if (isServer) await postgres.exec(`DROP DATABASE IF EXISTS ${TARGET}`);
    else removeSqlite(join(folder, 'scale-target.db'));
    rmSync(vault, { recursive: true, force: true });
  }
}

/**
 * What the log says as two steps and goes on at once is one: a store is summed up while its indexes are built, and the time of the
 * server's processes is counted when they have ended. A backup that is named in a step's name is any backup.
 */
function stepsOf({ steps }: Observed): StepObservation[] {
  const joined: StepObservation[] = [];
  for (const { name: said, wallSeconds, clientCpuSeconds, serverCpuSeconds } of steps) {
    const name = said.startsWith('verifying ') ? (said.includes('(') ? 'verifying' : JOINED) : said;
    const last = joined.at(-1);
    if (last !== undefined && name === JOINED) {
      joined[joined.length - 1] = {
        name: last.name,
        wallSeconds: last.wallSeconds + wallSeconds,
        clientSeconds: last.clientSeconds + clientCpuSeconds,
        serverSeconds: last.serverSeconds + serverCpuSeconds,
      };
      continue;
    }
    joined.push({ name, wallSeconds, clientSeconds: clientCpuSeconds, serverSeconds: serverCpuSeconds });
  }
  return joined;
}

const JOINED = 'verifying what was loaded';

function bytesOf({ report }: Observed, events: number): EventBytes {
  const { eventBytes } = report.stages as { eventBytes: number };
  const values = eventBytes / events;
  return { values, sent: values + SENT_OVERHEAD_BYTES, stored: Number(report.sizeBytes) / events };
}
