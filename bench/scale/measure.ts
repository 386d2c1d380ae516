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
  WORKS,
  type Work,
} from './costs.ts';
import { type Observed, observe } from './observe.ts';

export const PARALLEL = [1, 2] as const;

export interface Measurements {
  readonly observations: readonly Observation[];
  readonly bytes: EventBytes;
}

/**
 * Backups, verifications and restores of stores of these sizes, each `runs` times. All of them in turns: a machine that is slow for some
 * minutes, because others use it too, is so for all sizes.
 */
export async function measureSizes(
  ground: Ground,
  sizes: readonly number[],
  runs: number,
  say: (line: string) => void,
): Promise<Measurements> {
  const sources: Source[] = [];
  for (const events of sizes) {
    for (const store of STORES)
      sources.push({ store, events, address: await fill(ground, store, events), rounds: new Map() });
  }
  for (let run = 0; run < runs; run += 1) {
    for (const { store, address, rounds } of sources) {
      for (const parallel of PARALLEL) {
        const round = await runAll(ground, { store, source: address, parallel });
        rounds.set(parallel, [...(rounds.get(parallel) ?? []), round]);
      }
    }
    say(`run ${run + 1} of ${runs} is done`);
  }
  for (const { store, events } of sources) await empty(ground, store, events);
  const largest = sources.findLast(({ store }) => store === 'postgres')!;
  const observations = sources.flatMap(observationsOf);
  for (const { events, store, parallel, work, steps } of observations)
    say(`${sizeText(events)} ${store}, --parallel ${parallel}, ${work}: ${secondsText(steps)}`);
  return { observations, bytes: bytesOf(largest.rounds.get(1)![0]!.backup, largest.events) };
}

interface Source {
  readonly store: Store;
  readonly events: number;
  readonly address: string;
  /** By `--parallel`. */
  readonly rounds: Map<number, readonly Round[]>;
}

function observationsOf({ store, events, rounds }: Source): Observation[] {
  return PARALLEL.flatMap((parallel) =>
    WORKS.map((work) => {
      const steps = bestOf(rounds.get(parallel)!.map((round) => round.steps[work]));
      return { work, store, events, parallel, steps };
    }),
  );
}

function secondsText(steps: readonly StepObservation[]): string {
  return steps.map(({ name, wallSeconds }) => `${name} ${wallSeconds.toFixed(2)} s`).join(', ');
}

const TARGET = 'scale_target';

async function fill({ postgres, folder }: Ground, store: Store, events: number): Promise<string> {
  if (store === 'sqlite') {
    const address = `sqlite:${sqlitePath(folder, events)}`;
    await loadHistory(address, events);
    return address;
  }
  const name = await postgres.createDatabase(databaseOf(events));
  await loadHistory(postgres.address(name), events);
  await postgres.exec('VACUUM ANALYZE eventcore_events', name);
  return postgres.address(name);
}

async function empty({ postgres, folder }: Ground, store: Store, events: number): Promise<void> {
  if (store === 'postgres') await postgres.exec(`DROP DATABASE ${databaseOf(events)}`);
  else removeSqlite(sqlitePath(folder, events));
}

function databaseOf(events: number): string {
  return `scale_source_${events}`;
}

function sqlitePath(folder: string, events: number): string {
  return join(folder, `scale-${events}.db`);
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
  const { eventBytes, plainBytes } = report.stages as { eventBytes: number; plainBytes: number };
  const values = eventBytes / events;
  const stored = Number(report.sizeBytes) / events;
  return { values, sent: values + SENT_OVERHEAD_BYTES, plain: plainBytes / events, stored };
}
