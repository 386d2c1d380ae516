import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { chown, mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { DrillTargets } from '../core/drill-target.ts';
import { BackupError } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import type { Writers } from '../core/writers.ts';
import { type DrillFolder, makeDrillFolder, removeDeadFolders } from './folders.ts';
import { postgresDatabaseTargets } from './postgres-databases.ts';

export interface PostgresServerOptions {
  /** Where `initdb` and `postgres` are. */
  readonly binDir: string;
  readonly folder: string;
  readonly writers: Writers;
  readonly openStore: (address: string) => Promise<EventStore>;
}

const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 15_000;
/** `nobody`: the server refuses to run as root. */
const UNPRIVILEGED_ID = 65_534;

interface Server {
  readonly folder: DrillFolder;
  readonly child: ChildProcess;
  readonly databases: DrillTargets;
}

/**
 * Databases of a server of PostgreSQL that is made for the drill and gone after it. It listens on a socket in its own folder only, so
 * nothing of any application comes near it.
 */
export function postgresServerTargets(options: PostgresServerOptions): DrillTargets {
  const { folder, writers } = options;
  let server: Promise<Server> | null = null;
  const keeping = { isKept: false };
  return {
    kind: 'a server of PostgreSQL made for it',
    // It cannot be: it is made anew.
    refuseStore: async () => {},
    removeLeftovers: () => removeDeadFolders(folder, writers, stopLeftover),
    freeBytes: async () => {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    },
    create: async () => {
      server ??= startServer(options);
      const { databases, folder: own } = await server;
      const target = await databases.create();
      return {
        ...target,
        keep: async () => {
          keeping.isKept = true;
          return `${await target.keep()} in ${own.path.replace('eventcore-drill-', 'eventcore-kept-drill-')}/data (start it with pg_ctl)`;
        },
      };
    },
    close: async () => {
      const started = await server?.catch(() => null);
      server = null;
      if (started == null) return;
      // All of it goes with the server, whatever state that is in.
      await started.databases.close().catch(() => undefined);
      await stop(started.child);
      if (keeping.isKept) await started.folder.keep();
      await started.folder.remove();
    },
  };
}

async function startServer({ binDir, folder, writers, openStore }: PostgresServerOptions): Promise<Server> {
  const own = await makeDrillFolder(folder, writers);
  try {
    const data = join(own.path, 'data');
    await mkdir(data, { mode: 0o700 });
    await giveAway(own.path);
    await giveAway(data);
    await run(join(binDir, 'initdb'), [
      ...['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
    ]);
    const child = await launch(join(binDir, 'postgres'), data, own.path);
    const address = `postgres://postgres@localhost/postgres?host=${encodeURIComponent(own.path)}`;
    return { folder: own, child, databases: postgresDatabaseTargets({ address, openStore }) };
  } catch (error) {
    await own.remove();
    throw error;
  }
}

function unprivileged(): { uid?: number; gid?: number } {
  return process.getuid?.() === 0 ? { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID } : {};
}

async function giveAway(path: string): Promise<void> {
  const { uid, gid } = unprivileged();
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
}

async function run(program: string, parameters: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)(program, parameters, {
      ...unprivileged(),
      ...{ cwd: '/', timeout: START_TIMEOUT_MS, env: { PATH: process.env.PATH } },
    });
  } catch (cause) {
    const { stderr = '' } = cause as { readonly stderr?: string };
    throw new BackupError('store_refused', `${program} failed: ${stderr.trim().split('\n').at(-1) ?? ''}`, {
      hint: 'see whether these programs run here, or name another target (drill.target, --target)',
      cause,
    });
  }
}

/** Nothing that is restored here needs to survive a crash of the machine. */
const SETTINGS = {
  listen_addresses: '',
  fsync: 'off',
  full_page_writes: 'off',
  archive_mode: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  shared_buffers: '128MB',
  max_wal_size: '4GB',
} as const;

function launch(program: string, data: string, socketFolder: string): Promise<ChildProcess> {
  const settings = { ...SETTINGS, unix_socket_directories: socketFolder };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(program, ['-D', data, ...flags], {
    ...unprivileged(),
    ...{ cwd: data, stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH } },
    // Ctrl-C is for the drill, which ends its server itself.
    detached: true,
  });
  const { promise, resolve, reject } = Promise.withResolvers<ChildProcess>();
  let log = '';
  const refuse = (why: string): void =>
    reject(
      new BackupError('store_refused', `PostgreSQL ${why}: ${log.trim().split('\n').at(-1) ?? ''}`, {
        hint: 'see whether these programs run here, or name another target (drill.target, --target)',
      }),
    );
  const timer = setTimeout(() => {
    child.kill('SIGQUIT');
    refuse('did not start in time');
  }, START_TIMEOUT_MS);
  // Read to the end, so that the pipe never fills.
  child.stderr!.on('data', (bytes: Buffer) => {
    log = (log + bytes.toString()).slice(-10_000);
    if (!log.includes('ready to accept connections')) return;
    clearTimeout(timer);
    resolve(child);
  });
  child.once('error', () => refuse('cannot be started'));
  child.once('exit', () => {
    clearTimeout(timer);
    refuse('ended');
  });
  return promise;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGINT');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await gone;
  clearTimeout(late);
}

/** The server of a killed drill: the process that works in that folder, and no other that has its number by now. */
async function stopLeftover(path: string): Promise<void> {
  const data = join(path, 'data');
  const pid = readPid(join(data, 'postmaster.pid'));
  if (pid === null || !worksIn(pid, data)) return;
  process.kill(pid, 'SIGQUIT');
  for (let waitedMs = 0; waitedMs < STOP_TIMEOUT_MS && worksIn(pid, data); waitedMs += 50) await sleep(50);
  if (worksIn(pid, data)) process.kill(pid, 'SIGKILL');
}

function readPid(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
    return Number.isSafeInteger(pid) && pid > 1 ? pid : null;
  } catch {
    return null;
  }
}

function worksIn(pid: number, folder: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(folder);
  } catch {
    return false;
  }
}
