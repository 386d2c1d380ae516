/**
 * npm run bench:monitor -- [--events 1000000] [--writers 4] [--rounds 4] [--seconds 90] [--config LINES] [--json FILE]
 *
 * What the monitor costs a busy store: throughput of writers on PostgreSQL with and without a run of `eventcore monitor` beside them, at its
 * default settings, in turn. The writers take all that the machine has. A round is longer than a run, so what writers lose in it is what a run
 * takes of them; by default there is one run an hour. `--config` adds lines to the configuration, to measure others.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { openPostgresStore } from '../src/stores/postgres/store.ts';
import { generateBatches } from '../src/testing/event-generator.ts';
import { startPostgres, type TestPostgres } from '../test/harness/postgres.ts';
import { cpuSecondsOfServer, readServerPid, readTree } from './process-tree.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    writers: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '90' },
    config: { type: 'string', default: '' },
    json: { type: 'string' },
  },
});
const [EVENTS, WRITERS, ROUNDS, SECONDS] = [values.events, values.writers, values.rounds, values.seconds].map(
  Number,
) as [number, number, number, number];
/** As it is published: the sources would be translated at each start. */
const MAIN = path.join(import.meta.dirname, '../dist/cli/main.js');
/** Seconds between two runs, when nothing else is said. */
const DEFAULT_INTERVAL = 3600;
const DATABASE = 'shop';
const BATCH_BYTES = 4 << 20;
/** As applications write: few events in a transaction. */
const EVENTS_PER_APPEND = 2;
const STREAMS_PER_WRITER = 200;
/** Caches fill, and the server writes what the round before has left. */
const SETTLE_MS = 3000;

interface Ground {
  readonly server: TestPostgres;
  readonly serverPid: number;
  readonly address: string;
  readonly config: string;
}

interface Round {
  readonly monitored: boolean;
  readonly appendsPerSecond: number;
  readonly eventsPerSecond: number;
  /** Of the slowest hundredth of appends, milliseconds. */
  readonly p99Ms: number;
  readonly serverCpuSeconds: number;
  /** From the start of its process to the end. */
  readonly runSeconds: number;
  readonly monitorCpuSeconds: number;
  readonly monitorPeakMiB: number;
}

async function prepare(server: TestPostgres, folder: string): Promise<Ground> {
  await server.createDatabase(DATABASE);
  const address = server.address(DATABASE);
  const store = openPostgresStore(address);
  await store.initialise();
  const session = await store.openRestore({ attemptId: crypto.randomUUID(), replace: false });
  const writer = await session.openWriter({ alone: true });
  for (const batch of generateBatches({ seed: 1, events: EVENTS, batchBytes: BATCH_BYTES }))
    await writer.write(batch);
  await writer.end();
  await session.finishLoad();
  await session.publish();
  await store.close();
  await server.exec('VACUUM ANALYZE', DATABASE);
  const config = path.join(folder, 'eventcore.config.yaml');
  const lines = values.config.replaceAll('\\n', '\n');
  writeFileSync(config, `store: '${address}'\nvault: ./vault\n${lines}\n`);
  await finished(startEventcore(['backup', 'full', '--config', config, '--quiet']));
  return { server, serverPid: readServerPid(server.dataDir), address, config };
}

function startEventcore(words: readonly string[], errors: 'inherit' | 'ignore' = 'inherit'): ChildProcess {
  return spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'ignore', errors] });
}

async function finished(child: ChildProcess): Promise<void> {
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`eventcore ended with ${code}`);
}

interface Written {
  appends: number;
  readonly latenciesMs: number[];
}

/** Appends as EventCore's client does it: the trigger gives the version. */
async function write(address: string, number: number, until: () => boolean, written: Written): Promise<void> {
  const client = new pg.Client(address);
  await client.connect();
  const run = Math.random().toString(36).slice(2);
  const text = `INSERT INTO eventcore_events (event_id, stream_id, event_type, event_data, metadata)
    SELECT gen_random_uuid(), $1, 'Moved', jsonb_build_object('n', n, 'note', md5($1 || n), 'amountCents', n * 17),
           jsonb_build_object('correlationId', gen_random_uuid()) FROM generate_series(1, $2::int) AS n`;
  for (let i = 0; until(); i += 1) {
    const begunMs = performance.now();
    const stream = `writer-${run}-${number}-${i % STREAMS_PER_WRITER}`;
    await client.query({ name: 'append', text, values: [stream, EVENTS_PER_APPEND] });
    written.latenciesMs.push(performance.now() - begunMs);
    written.appends += 1;
  }
  await client.end();
}

async function runRound({ server, serverPid, address, config }: Ground, monitored: boolean): Promise<Round> {
  await server.exec('CHECKPOINT');
  await sleep(SETTLE_MS);
  const cpuBefore = cpuSecondsOfServer(serverPid);
  const monitor = monitored ? startMonitor(config) : null;
  const written: Written = { appends: 0, latenciesMs: [] };
  const endMs = performance.now() + SECONDS * 1000;
  const until = (): boolean => performance.now() < endMs;
  const begunMs = performance.now();
  await Promise.all(Array.from({ length: WRITERS }, (_, number) => write(address, number, until, written)));
  const seconds = (performance.now() - begunMs) / 1000;
  const cost = monitor === null ? { runSeconds: 0, cpuSeconds: 0, peakMiB: 0 } : monitor.end();
  const sorted = written.latenciesMs.sort((a, b) => a - b);
  return {
    monitored,
    appendsPerSecond: written.appends / seconds,
    eventsPerSecond: (written.appends * EVENTS_PER_APPEND) / seconds,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    serverCpuSeconds: cpuSecondsOfServer(serverPid) - cpuBefore,
    ...{ runSeconds: cost.runSeconds, monitorCpuSeconds: cost.cpuSeconds, monitorPeakMiB: cost.peakMiB },
  };
}

const POLL_MS = 200;

/** The whole command, process start included. */
function startMonitor(config: string) {
  const begunMs = performance.now();
  const child = startEventcore(['monitor', '--once', '--config', config, '--quiet']);
  const cost = { runSeconds: 0, cpuSeconds: 0, peakMiB: 0 };
  const timer = setInterval(() => {
    const [seen] = readTree(child.pid!);
    if (seen === undefined) return;
    cost.cpuSeconds = Math.max(cost.cpuSeconds, seen.cpuSeconds);
    cost.peakMiB = Math.max(cost.peakMiB, seen.peakMiB);
  }, POLL_MS);
  child.once('close', () => {
    clearInterval(timer);
    cost.runSeconds = (performance.now() - begunMs) / 1000;
  });
  return {
    end: () => {
      if (child.exitCode === 0) return cost;
      child.kill('SIGKILL');
      throw new Error(
        child.exitCode === null
          ? `a run takes longer than ${SECONDS} s: measure longer with --seconds`
          : `the monitor ended with ${child.exitCode}`,
      );
    },
  };
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Each pair of rounds beside one another gives a ratio: what drifts over the hour is in both. */
function summarise(rounds: readonly Round[]) {
  const pairs = Array.from({ length: rounds.length / 2 }, (_, i) => rounds.slice(2 * i, 2 * i + 2));
  const ratios = pairs.map((pair) => {
    const [monitored, alone] = [
      pair.find((round) => round.monitored)!,
      pair.find((round) => !round.monitored)!,
    ];
    return monitored.appendsPerSecond / alone.appendsPerSecond;
  });
  const of = (monitored: boolean, field: 'appendsPerSecond' | 'p99Ms' | 'serverCpuSeconds'): number =>
    median(rounds.filter((round) => round.monitored === monitored).map((round) => round[field]));
  const lostInRound = 1 - median(ratios);
  const lossPercent = ((lostInRound * SECONDS) / DEFAULT_INTERVAL) * 100;
  return {
    ...{ lossPercent, isWithin3Percent: lossPercent <= 3, lostInRoundPercent: lostInRound * 100, ratios },
    appendsPerSecond: { alone: of(false, 'appendsPerSecond'), monitored: of(true, 'appendsPerSecond') },
    p99Ms: { alone: of(false, 'p99Ms'), monitored: of(true, 'p99Ms') },
    serverCpuSeconds: { alone: of(false, 'serverCpuSeconds'), monitored: of(true, 'serverCpuSeconds') },
  };
}

function report(rounds: readonly Round[]): void {
  console.log('round  monitor  appends/s  p99 ms  server CPU s  run s  monitor CPU s  monitor MiB');
  for (const [number, round] of rounds.entries()) {
    const cells = [
      String(number + 1).padStart(5),
      (round.monitored ? 'yes' : 'no').padStart(7),
      round.appendsPerSecond.toFixed(0).padStart(9),
      round.p99Ms.toFixed(2).padStart(6),
      round.serverCpuSeconds.toFixed(1).padStart(12),
      round.runSeconds.toFixed(1).padStart(5),
      round.monitorCpuSeconds.toFixed(1).padStart(13),
      round.monitorPeakMiB.toFixed(0).padStart(11),
    ];
    console.log(cells.join('  '));
  }
  const { lossPercent, lostInRoundPercent, ratios } = summarise(rounds);
  const range = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
  console.log(
    `lost in a round of ${SECONDS} s with a run: ${lostInRoundPercent.toFixed(1)} % (median of ${ratios.length} pairs, ratios ${range})`,
  );
  console.log(`with a run an hour, as by default: ${lossPercent.toFixed(2)} %`);
}

async function main(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'eventcore-monitor-cost-'));
  const server = await startPostgres({
    settings: { shared_buffers: '512MB', max_wal_size: '8GB', fsync: 'on', checkpoint_timeout: '1h' },
  });
  try {
    const ground = await prepare(server, folder);
    await runRound(ground, false);
    const rounds: Round[] = [];
    for (let pair = 0; pair < ROUNDS; pair += 1) {
      // In turn which comes first: what the first leaves behind is the second's.
      for (const monitored of pair % 2 === 0 ? [false, true] : [true, false])
        rounds.push(await runRound(ground, monitored));
    }
    report(rounds);
    const settings = {
      events: EVENTS,
      writers: WRITERS,
      seconds: SECONDS,
      processors: availableParallelism(),
    };
    const document = { settings, ...summarise(rounds), rounds };
    console.log(JSON.stringify(document));
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(document, null, 2)}\n`);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

await main();
