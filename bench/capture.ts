/**
 * npm run bench:capture -- [--sealed] [events] [rounds] [events per transaction]
 *
 * How fast a change of many small transactions is captured: `pg_recvlogical` writing it to a file, and our feed, read to its end
 * and thrown away, or encoded and compressed as the archiver does; and the archiver itself. All read the same write-ahead log, in turn. `--sealed`: the archiver alone,
 * in clear and sealed and signed, which says what sealing costs.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { ChangeBatch, FeedSource } from '../src/core/change-feed.ts';
import { chunkCodec } from '../src/format/chunk-codec.ts';
import { makeCompress } from '../src/format/compression.ts';
import { readLogCatalog } from '../src/format/log-catalog.ts';
import { lastBlock } from '../src/format/log-reader.ts';
import { makeIdentityFile } from '../src/keys/identity-file.ts';
import { makeSigningKeyFile } from '../src/keys/signer.ts';
import { openPostgresStore } from '../src/stores/postgres/store.ts';
import { openDirectoryVault } from '../src/vaults/fs/vault.ts';
import { startPostgres, type TestPostgres } from '../test/harness/postgres.ts';

const { values, positionals } = parseArgs({
  options: { sealed: { type: 'boolean' } },
  allowPositionals: true,
});
const [EVENTS = 500_000, ROUNDS = 3, PER_TRANSACTION = 10] = positionals.map(Number);
const MAIN = path.join(import.meta.dirname, '../src/cli/main.ts');
const BATCH_BYTES = 4 << 20;

interface Capture {
  readonly server: TestPostgres;
  readonly database: string;
  readonly slot: string;
  readonly source: FeedSource;
  readonly from: bigint;
  /** Where the change ends. */
  readonly end: string;
  /** With the begin of the log. */
  readonly vault: string;
}

interface Run {
  readonly seconds: number;
  /** Of ours, in this process or a command; null where it is not measured. */
  readonly cpuSeconds: number | null;
  readonly peakMiB?: number;
}

type Take = (batch: ChangeBatch) => unknown;

/** The log begins with an archiver of its own, whose vault and slot each round begins with. */
async function prepare(server: TestPostgres, folder: string): Promise<Capture> {
  const database = await server.createDatabase();
  const store = openPostgresStore(server.address(database));
  await store.initialise();
  await store.close();
  const vault = path.join(folder, 'begin');
  await runArchiver(server.address(database), vault);
  const opened = openDirectoryVault(vault);
  await opened.open({ create: false });
  const { header, position } = (await lastBlock(opened, (await readLogCatalog(opened))[0]!))!;
  const [slot] = await server.exec('SELECT slot_name AS name FROM pg_replication_slots');
  await server.exec(`SELECT pg_copy_logical_replication_slot('${slot!.name}', 'keeper')`, database);
  await writeEvents(server, database);
  const [end] = await server.exec('SELECT pg_current_wal_flush_lsn()::text AS lsn');
  const { source } = header;
  return { server, database, slot: String(slot!.name), source, from: position, end: String(end!.lsn), vault };
}

interface Cost {
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

async function runArchiver(store: string, vault: string, keys: readonly string[] = []): Promise<Cost> {
  const words = ['archive', '--once', '--no-base', '--store', store, '--vault', vault, ...keys];
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'ignore', 'inherit'] });
  let cost: Cost = { cpuSeconds: 0, peakMiB: 0 };
  const timer = setInterval(() => {
    cost = costOf(child.pid!) ?? cost;
  }, 20);
  const [code] = (await once(child, 'close')) as [number];
  clearInterval(timer);
  if (code !== 0) throw new Error(`archive ended with ${code}`);
  return cost;
}

/** Ticks of `/proc`, on all machines that Node runs on. */
const TICKS_PER_SECOND = 100;

/** What a process took so far; null when it is gone. */
function costOf(pid: number): Cost | null {
  try {
    const peakKiB = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
    const [, user, system] = /\) \S+(?: -?\d+){10} (\d+) (\d+)/.exec(
      readFileSync(`/proc/${pid}/stat`, 'utf8'),
    )!;
    return { cpuSeconds: (Number(user) + Number(system)) / TICKS_PER_SECOND, peakMiB: peakKiB / 1024 };
  } catch {
    return null;
  }
}

/** A host's keys: somebody to seal for, whose identity nobody has, and its own to sign with. */
async function makeKeys(folder: string): Promise<string[]> {
  const { recipient } = await makeIdentityFile(false, '');
  const file = path.join(folder, 'sign.pem');
  writeFileSync(file, makeSigningKeyFile().text, { mode: 0o600 });
  return ['--recipient', recipient, '--sign-key', file];
}

/** Each reader begins where the log does. */
async function resetSlot({ server, database, slot }: Capture): Promise<void> {
  await server.exec(`SELECT pg_drop_replication_slot('${slot}')`);
  await server.exec(`SELECT pg_copy_logical_replication_slot('keeper', '${slot}')`, database);
}

/** The whole command, process start included, into a vault on disk. */
async function archiveAll(capture: Capture, round: number, keys: readonly string[] = []): Promise<Run> {
  const { server, database, vault } = capture;
  const own = `${vault}-${round}`;
  cpSync(vault, own, { recursive: true });
  await resetSlot(capture);
  const began = performance.now();
  const cost = await runArchiver(server.address(database), own, keys);
  const seconds = (performance.now() - began) / 1000;
  rmSync(own, { recursive: true });
  return { seconds, ...cost };
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
  await server.exec(`SELECT pg_copy_logical_replication_slot('keeper', '${copy}')`, database);
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
  await resetSlot(capture);
  const store = openPostgresStore(server.address(database));
  try {
    const began = performance.now();
    const cpu = process.cpuUsage();
    const feed = await store.openFeed({ resumeAt: from, source, lastEventId: null });
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
  const peak =
    runs[0]!.peakMiB === undefined
      ? ''
      : `  peak ${Math.max(...runs.map((run) => run.peakMiB!)).toFixed(0)} MiB`;
  console.log(
    `${name.padEnd(26)} ${time.toFixed(2)} s (${best.toFixed(2)})  ${rate(time)} events/s (${rate(best)})  ${ratio}${cpu}${peak}`,
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'eventcore-capture-'));
  const server = await startPostgres({ settings: { shared_buffers: '512MB', max_wal_size: '8GB' } });
  try {
    const capture = await prepare(server, folder);
    const keys = await makeKeys(folder);
    const inClear = { 'archive --once': (round: number) => archiveAll(capture, round) };
    const sealed = { 'archive --once, sealed': (round: number) => archiveAll(capture, round, keys) };
    const all = {
      'pg_recvlogical to a file': (round: number) => receiveToFile(capture, round),
      'feed, thrown away': () => readFeed(capture, () => undefined),
      'feed, columns and zstd 1': () => readFeed(capture, encoder(1)),
      'feed, columns and zstd 3': () => readFeed(capture, encoder(3)),
      ...inClear,
    };
    const contenders: Record<string, (round: number) => Promise<Run>> = values.sealed
      ? { ...inClear, ...sealed }
      : all;
    const runs = Object.keys(contenders).map((): Run[] => []);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [i, run] of Object.values(contenders).entries()) runs[i]!.push(await run(round));
    }
    for (const [i, name] of Object.keys(contenders).entries()) report(name, runs[i]!, runs[0]!);
    console.log(`peak memory of this process: ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

await main();
