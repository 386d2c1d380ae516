/**
 * npm run bench:lag [events a second] [seconds]
 *
 * How long after its commit an event is in the vault, seen from outside, under a steady load of small transactions; and what
 * the archiver needs for it.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { parseLogName } from '../src/format/log-name.ts';
import { openPostgresStore } from '../src/stores/postgres/store.ts';
import { startPostgres } from '../test/harness/postgres.ts';

const RATE = Number(process.argv[2] ?? 10_000);
const SECONDS = Number(process.argv[3] ?? 30);
const PER_TRANSACTION = 10;
/** Transactions that are sent as one, so that the writer is no load of its own. */
const TICK_MS = 50;
const MAIN = path.join(import.meta.dirname, '../src/cli/main.ts');

interface Mark {
  readonly position: bigint;
  readonly committedAtMs: number;
}

async function main(): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'eventcore-lag-'));
  const server = await startPostgres({ settings: { shared_buffers: '256MB', max_wal_size: '8GB' } });
  const database = await server.createDatabase();
  const address = server.address(database);
  const store = openPostgresStore(address);
  await store.initialise();
  await store.close();
  await server.exec('ALTER TABLE eventcore_events DISABLE TRIGGER USER', database);
  const vault = path.join(folder, 'vault');
  const archiver = spawn(
    process.execPath,
    [MAIN, 'archive', '--no-base', '--idle-ms', '500', '--store', address, '--vault', vault],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  try {
    while (vaultEnd(vault) === null) await sleep(100);
    const marks: Mark[] = [];
    const lags: number[] = [];
    const watching = watch(vault, marks, lags);
    const written = await write(address, marks);
    await watching;
    const status = readFileSync(`/proc/${archiver.pid}/status`, 'utf8');
    const cpu = readFileSync(`/proc/${archiver.pid}/stat`, 'utf8').split(' ');
    const cpuSeconds = (Number(cpu[13]) + Number(cpu[14])) / 100;
    lags.sort((a, b) => a - b);
    const share = (part: number): string =>
      `${(lags[Math.floor((lags.length - 1) * part)]! / 1000).toFixed(2)} s`;
    console.log(`${written} events in ${SECONDS} s (${Math.round(written / SECONDS)} a second)`);
    console.log(`in the vault after: median ${share(0.5)}, 99 % ${share(0.99)}, all ${share(1)}`);
    console.log(
      `archiver: CPU ${cpuSeconds.toFixed(1)} s, peak ${Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)![1]) / 1024)} MiB`,
    );
  } finally {
    archiver.kill('SIGKILL');
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

/** Where the log in the vault ends. */
function vaultEnd(vault: string): bigint | null {
  let end: bigint | null = null;
  try {
    for (const timeline of readdirSync(path.join(vault, 'log'))) {
      for (const file of readdirSync(path.join(vault, 'log', timeline))) {
        const name = parseLogName(`log/${timeline}/${file}`);
        if (name !== null && (end === null || name.to > end)) end = name.to;
      }
    }
  } catch {
    // There is no log yet.
  }
  return end;
}

async function write(address: string, marks: Mark[]): Promise<number> {
  const client = new pg.Client(address);
  await client.connect();
  const transactions = Math.round((RATE * TICK_MS) / 1000 / PER_TRANSACTION);
  await client.query(`CREATE PROCEDURE write_some(run int) LANGUAGE plpgsql AS $$ BEGIN
    FOR t IN 1 .. ${transactions} LOOP
      INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
      SELECT gen_random_uuid(), 'account-' || run || '-' || t, i, 'Moved' || i % 7,
             jsonb_build_object('customer', 'customer-' || t, 'amountCents', t * 31 + i, 'note', md5(t::text))
        FROM generate_series(1, ${PER_TRANSACTION}) AS i;
      COMMIT;
    END LOOP; END $$`);
  const beganAtMs = performance.now();
  let ticks = 0;
  for (; ticks < (SECONDS * 1000) / TICK_MS; ticks += 1) {
    await sleep(Math.max(0, beganAtMs + ticks * TICK_MS - performance.now()));
    await client.query(`CALL write_some(${ticks})`);
    const { rows } = await client.query("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text AS lsn");
    marks.push({ position: BigInt(rows[0].lsn) - 1n, committedAtMs: performance.now() });
  }
  await client.end();
  marks.push({ position: -1n, committedAtMs: 0 });
  return ticks * transactions * PER_TRANSACTION;
}

/** Ends when everything that was written is in the vault. */
async function watch(vault: string, marks: Mark[], lags: number[]): Promise<void> {
  for (;;) {
    await sleep(20);
    const end = vaultEnd(vault)!;
    while (marks.length > 0 && marks[0]!.position >= 0n && marks[0]!.position < end) {
      lags.push(performance.now() - marks.shift()!.committedAtMs);
    }
    if (marks[0]?.position === -1n) return;
  }
}

await main();
