import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { openStore } from '../../src/cli/wire.ts';
import type { Finding } from '../../src/core/finding.ts';
import type { MonitorReport } from '../../src/format/monitor-report.ts';
import { generateBatches } from '../../src/testing/event-generator.ts';
import { runHere } from './command.ts';
import type { TestPostgres } from './postgres.ts';
import { NAIVE_SCHEMA, startSlowWriters } from './slow-writers.ts';

/**
 * A store that is well and has much to do: writers that commit late, roll back and prepare transactions, consumers whose checkpoints follow,
 * command states that are kept, indexes that are built anew beside the writers, backups that are taken. Some streams had gaps, and others were taken
 * away, before anything was backed up. Whatever a monitor finds here is a false alarm.
 */
export interface SoakOptions {
  readonly folder: string;
  readonly seconds: number;
  readonly sample: string;
  readonly intervalMs: number;
  readonly events: number;
  readonly writers: number;
  readonly onProgress?: (text: string) => void;
}

export interface SoakResult {
  readonly runs: number;
  /** Runs whose comparison with the backup came about. */
  readonly compared: number;
  readonly eventsLooked: number;
  readonly eventsCompared: number;
  readonly eventsWritten: number;
  readonly backups: number;
  readonly rebuilds: number;
  readonly medianMs: number;
  readonly falseAlarms: readonly Finding[];
  /** What a check or a comparison could not do, with how often. */
  readonly skipped: Readonly<Record<string, number>>;
  /** How many runs it took to find the event that was changed in the end: who finds nothing may be blind. */
  readonly foundAfterRuns: number;
}

interface Soak {
  readonly options: SoakOptions;
  readonly server: TestPostgres;
  readonly database: string;
  readonly config: string;
  readonly runs: { readonly ms: number; readonly looked: MonitorReport['looked'] }[];
  readonly falseAlarms: Finding[];
  readonly skipped: Record<string, number>;
  backups: number;
  rebuilds: number;
}

export async function soakMonitor(server: TestPostgres, options: SoakOptions): Promise<SoakResult> {
  const soak = await prepare(server, options);
  const writers = await startSlowWriters({
    ...{ address: server.address(soak.database), writers: options.writers, maxDelayMs: 150 },
    ...{ maxEventsPerInsert: 20, positions: false },
  });
  const stop = new AbortController();
  const beside = [consume(soak, stop.signal), maintain(soak, stop.signal), backUp(soak, stop.signal)];
  const failed = Promise.race(beside.map((work) => work.then(() => new Promise<never>(() => {}))));
  try {
    await Promise.race([watch(soak), failed]);
  } finally {
    stop.abort();
    await Promise.allSettled(beside);
    await writers.stop();
  }
  await Promise.all(beside);
  const foundAfterRuns = await findPlanted(soak);
  const { runs, backups, rebuilds, falseAlarms, skipped } = soak;
  const sum = (of: 'events' | 'compared'): number => runs.reduce((all, { looked }) => all + looked[of], 0);
  return {
    ...{ runs: runs.length, compared: runs.filter(({ looked }) => looked.comparedWith !== null).length },
    ...{ eventsLooked: sum('events'), eventsCompared: sum('compared'), eventsWritten: writers.committed() },
    ...{ backups, rebuilds, falseAlarms, skipped, foundAfterRuns },
    medianMs: runs.map(({ ms }) => ms).sort((a, b) => a - b)[runs.length >> 1] ?? 0,
  };
}

async function prepare(server: TestPostgres, options: SoakOptions): Promise<Soak> {
  const database = await server.createDatabase();
  const address = server.address(database);
  const store = await openStore(address);
  await store.initialise();
  const session = await store.openRestore({ attemptId: crypto.randomUUID(), replace: false });
  const writer = await session.openWriter();
  for (const batch of generateBatches({ seed: 3, events: options.events, batchBytes: 1 << 20 }))
    await writer.write(batch);
  await writer.end();
  await session.finishLoad();
  await session.publish();
  await store.close();
  await server.exec(NAIVE_SCHEMA, database);
  // Versions and streams that were taken away before the first backup.
  await server.exec(
    `SET session_replication_role = replica;
     DELETE FROM eventcore_events WHERE stream_version IN (2, 5) AND stream_id LIKE 'order-%7';
     DELETE FROM eventcore_events WHERE stream_id LIKE 'cart-%3'`,
    database,
  );
  const config = join(options.folder, 'eventcore.config.yaml');
  await mkdir(options.folder, { recursive: true });
  await writeFile(
    config,
    `store: '${address}'\nvault: ./vault\nbackup: { parallel: 1 }\nmonitor: { rate_limit: 500MB/s }\n`,
  );
  const soak: Soak = {
    ...{ options, server, database, config, runs: [], falseAlarms: [], skipped: {} },
    ...{ backups: 0, rebuilds: 0 },
  };
  await eventcore(soak, 'backup', 'full');
  return soak;
}

async function eventcore({ config }: Soak, ...words: string[]): Promise<string> {
  const ran = await runHere([...words, '--config', config]);
  assert.ok(ran.code === 0 || words[0] === 'monitor', `${words.join(' ')}: ${ran.stderr}`);
  return ran.stdout;
}

interface RunDocument {
  readonly looked: MonitorReport['looked'];
  readonly findings: readonly Finding[];
  readonly skipped: readonly string[];
}

/** What the server lets crashes do is no matter of the store. */
const OF_THE_SERVER = 'server_safety';

async function look(soak: Soak): Promise<RunDocument> {
  const { sample } = soak.options;
  const document = JSON.parse(await eventcore(soak, 'monitor', '--once', '--sample', sample, '--json'));
  const { findings, ...rest } = document as RunDocument;
  return { ...rest, findings: findings.filter(({ check }) => check !== OF_THE_SERVER) };
}

async function watch(soak: Soak): Promise<void> {
  const { seconds, intervalMs, onProgress } = soak.options;
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) {
    const begunMs = performance.now();
    const { findings, looked, skipped } = await look(soak);
    const ms = Math.round(performance.now() - begunMs);
    soak.runs.push({ ms, looked });
    for (const finding of findings) soak.falseAlarms.push(finding);
    for (const reason of skipped) soak.skipped[reason] = (soak.skipped[reason] ?? 0) + 1;
    onProgress?.(`${soak.runs.length} runs, ${soak.falseAlarms.length} false alarms`);
    await sleep(Math.max(0, intervalMs - ms));
  }
}

const CONSUMERS = 3;

/** Consumers that follow what is committed, and command states that know how far their streams were. */
async function consume({ server, database }: Soak, signal: AbortSignal): Promise<void> {
  const client = new pg.Client(server.address(database));
  await client.connect();
  try {
    for (let i = 0; !signal.aborted; i += 1) {
      await client.query(
        `INSERT INTO eventcore_subscription_versions (subscription_name, last_position)
         SELECT $1, event_id FROM eventcore_events ORDER BY event_id DESC LIMIT 1
         ON CONFLICT (subscription_name) DO UPDATE SET last_position = excluded.last_position, updated_at = now()`,
        [`consumer-${i % CONSUMERS}`],
      );
      await client.query(
        `INSERT INTO eventcore_command_state_snapshots (snapshot_id, state, stream_versions)
         SELECT 'state-' || stream_id, '{}', jsonb_build_object(stream_id, max(stream_version))
           FROM eventcore_events WHERE stream_id = (SELECT stream_id FROM eventcore_events ORDER BY event_id DESC LIMIT 1)
          GROUP BY stream_id
         ON CONFLICT (snapshot_id) DO UPDATE SET stream_versions = excluded.stream_versions, updated_at = now()`,
      );
      await pause(70, signal);
    }
  } finally {
    await client.end();
  }
}

/** As whoever keeps a database does it while it is in use. */
async function maintain(soak: Soak, signal: AbortSignal): Promise<void> {
  const indexes = [
    'eventcore_events_stream_version_idx',
    'eventcore_events_pkey',
    'eventcore_events_stream_idx',
  ];
  while (!signal.aborted) {
    await pause(2000, signal);
    if (signal.aborted) return;
    await soak.server.exec('VACUUM ANALYZE eventcore_events', soak.database);
    // Waits for transactions that are open, prepared ones too.
    await soak.server.exec(
      `REINDEX INDEX CONCURRENTLY ${indexes[soak.rebuilds % indexes.length]}`,
      soak.database,
    );
    soak.rebuilds += 1;
  }
}

const INCREMENTAL_EVERY_MS = 4000;
const PER_CHAIN = 8;

async function backUp(soak: Soak, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pause(INCREMENTAL_EVERY_MS, signal);
    if (signal.aborted) return;
    soak.backups += 1;
    await eventcore(soak, 'backup', soak.backups % PER_CHAIN === 0 ? 'full' : 'incremental');
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

const MOST_RUNS = 60;

/** Changes one event that was backed up, and looks until that is found. */
async function findPlanted(soak: Soak): Promise<number> {
  await soak.server.exec(
    `SET session_replication_role = replica;
     UPDATE eventcore_events SET event_data = '{"amount": 1000000}'
      WHERE event_id = (SELECT event_id FROM eventcore_events WHERE stream_id LIKE 'account-%' ORDER BY event_id LIMIT 1)`,
    soak.database,
  );
  for (let runs = 1; runs <= MOST_RUNS; runs += 1) {
    const { findings } = await look(soak);
    if (findings.some(({ check }) => check === 'event_changed')) return runs;
  }
  assert.fail(`an event that was changed was not found in ${MOST_RUNS} runs`);
}
