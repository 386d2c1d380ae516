/**
 * npm run bench:capture [events] [rounds]
 *
 * How fast a change of many small transactions is captured: `pg_recvlogical` writing it to a file, and our feed, read to its end
 * and thrown away, or encoded and compressed as the archiver does. All read the same write-ahead log, in turn.
 */
import { spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ChangeBatch, type FeedSource, NEW_LOG } from '../src/core/change-feed.ts';
import { chunkCodec } from '../src/format/chunk-codec.ts';
import { makeCompress } from '../src/format/compression.ts';
import { openPostgresStore } from '../src/stores/postgres/store.ts';
import { startPostgres, type TestPostgres } from '../test/harness/postgres.ts';

const EVENTS = Number(process.argv[2] ?? 500_000);
const ROUNDS = Number(process.argv[3] ?? 3);
const PER_TRANSACTION = 10;
const BATCH_BYTES = 4 << 20;

interface Capture {
  readonly server: TestPostgres;
  readonly database: string;
  readonly slot: string;
  readonly source: FeedSource;
  readonly from: bigint;
  /** Where the change ends. */
  readonly end: string;
}

interface Run {
  readonly seconds: number;
  /** Of this process. */
  readonly cpuSeconds: number | null;
}

type Take = (batch: ChangeBatch) => unknown;

async function prepare(server: TestPostgres): Promise<Capture> {
  const database = await server.createDatabase();
  const store = openPostgresStore(server.address(database));
  try {
    await store.initialise();
    const feed = await store.openFeed!(NEW_LOG);
    const { source, from } = feed;
    await feed.close();
    const [slot] = await server.exec('SELECT slot_name AS name FROM pg_replication_slots');
    await writeEvents(server, database);
    const [end] = await server.exec('SELECT pg_current_wal_flush_lsn()::text AS lsn');
    return { server, database, slot: String(slot!.name), source, from, end: String(end!.lsn) };
  } finally {
    await store.close();
  }
}

async function writeEvents(server: TestPostgres, database: string): Promise<void> {
  await server.exec('ALTER TABLE eventcore_events DISABLE TRIGGER USER', database);
  await server.exec(
    `DO $$ BEGIN FOR t IN 0 .. ${EVENTS / PER_TRANSACTION - 1} LOOP
       INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
       SELECT gen_random_uuid(), 'account-' || (t * 10 + i) % 5003, (t * 10 + i) / 5003 + 1, 'Moved' || i % 7,
              jsonb_build_object('orderId', gen_random_uuid(), 'customer', 'customer-' || (t * 7) % 9973,
                'amountCents', (t * 31 + i * 17) % 100000, 'currency', 'EUR', 'at', now(), 'note', md5(t::text))
         FROM generate_series(0, ${PER_TRANSACTION - 1}) AS i;
       COMMIT; END LOOP; END $$`,
    database,
  );
  await server.exec('CHECKPOINT');
}

async function receiveToFile(capture: Capture, round: number): Promise<Run> {
  const { server, database, slot, end } = capture;
  const copy = `recvlogical_${round}`;
  await server.exec(`SELECT pg_copy_logical_replication_slot('${slot}', '${copy}')`, database);
  const file = path.join(tmpdir(), `eventcore-recvlogical-${process.pid}`);
  const began = performance.now();
  const result = spawnSync(
    path.join(server.binDir, 'pg_recvlogical'),
    ['-d', server.address(database), '-S', copy, '--start', '-f', file, '--endpos', end, '--no-loop'].concat(
      ['proto_version=1', `publication_names=${slot}`, 'binary=true'].flatMap((option) => ['-o', option]),
    ),
    { encoding: 'utf8' },
  );
  const seconds = (performance.now() - began) / 1000;
  if (result.status !== 0 || statSync(file).size < EVENTS * 100) throw new Error(result.stderr);
  rmSync(file);
  await server.exec(`SELECT pg_drop_replication_slot('${copy}')`);
  return { seconds, cpuSeconds: null };
}

async function readFeed(capture: Capture, take: Take): Promise<Run> {
  const { server, database, source, from } = capture;
  const store = openPostgresStore(server.address(database));
  try {
    const began = performance.now();
    const cpu = process.cpuUsage();
    const feed = await store.openFeed!({ resumeAt: from, source, lastEventId: null });
    let events = 0;
    for await (const batch of feed.read({ batchBytes: BATCH_BYTES, lingerMs: 1000, idleMs: 5000 })) {
      events += batch.events.count;
      await take(batch);
      if (events === EVENTS) break;
    }
    const seconds = (performance.now() - began) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    await feed.close();
    return { seconds, cpuSeconds: (user + system) / 1e6 };
  } finally {
    await store.close();
  }
}

function encoder(level: number): Take {
  const codec = chunkCodec('columns');
  const compress = makeCompress('zstd', level, true);
  return (batch) => compress(codec.encode(batch.events));
}

/** Medians; in brackets the quickest of each, which says more on a machine that is not quiet. */
function report(name: string, runs: readonly Run[], reference: readonly Run[]): void {
  const times = runs.map(({ seconds }) => seconds);
  const others = reference.map(({ seconds }) => seconds);
  const rate = (seconds: number): string => Math.round(EVENTS / seconds).toLocaleString('en');
  const [time, best] = [median(times), Math.min(...times)];
  const ratio = `${(median(others) / time).toFixed(2)} (${(Math.min(...others) / best).toFixed(2)})`;
  const cpu =
    runs[0]!.cpuSeconds === null ? '' : `  CPU ${median(runs.map((run) => run.cpuSeconds!)).toFixed(2)} s`;
  console.log(
    `${name.padEnd(26)} ${time.toFixed(2)} s (${best.toFixed(2)})  ${rate(time)} events/s (${rate(best)})  ${ratio}${cpu}`,
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function main(): Promise<void> {
  const server = await startPostgres({ settings: { shared_buffers: '512MB', max_wal_size: '8GB' } });
  try {
    const capture = await prepare(server);
    const contenders: Record<string, (round: number) => Promise<Run>> = {
      'pg_recvlogical to a file': (round) => receiveToFile(capture, round),
      'feed, thrown away': () => readFeed(capture, () => undefined),
      'feed, columns and zstd 1': () => readFeed(capture, encoder(1)),
      'feed, columns and zstd 3': () => readFeed(capture, encoder(3)),
    };
    const runs = Object.keys(contenders).map((): Run[] => []);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [i, run] of Object.values(contenders).entries()) runs[i]!.push(await run(round));
    }
    for (const [i, name] of Object.keys(contenders).entries()) report(name, runs[i]!, runs[0]!);
    console.log(`peak memory of this process: ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`);
  } finally {
    await server.stop();
  }
}

await main();
