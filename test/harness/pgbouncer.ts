import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import type { TestPostgres } from './postgres.ts';

const PROGRAM = '/usr/sbin/pgbouncer';
const START_MS = 20_000;

export type PoolMode = 'session' | 'transaction' | 'statement';

/** A PgBouncer before a server. */
export interface TestPgbouncer {
  /** Through a pool of this mode, with at most `size` connections to the server. */
  address(database: string, mode: PoolMode): string;
  stop(): Promise<void>;
}

/** Why there is none here; null when there is. */
export function whyNoPgbouncer(): string | null {
  return existsSync(PROGRAM) && spawnSync(PROGRAM, ['--version']).status === 0
    ? null
    : 'there is no pgbouncer';
}

/** Serves the databases each by the name `MODE_DATABASE`. */
export async function startPgbouncer(
  server: TestPostgres,
  databases: readonly string[],
  size: number,
): Promise<TestPgbouncer> {
  const folder = mkdtempSync(join(tmpdir(), 'eventcore-pgbouncer-'));
  chmodSync(folder, 0o755);
  const port = await freePort();
  const users = join(folder, 'users.txt');
  writeFileSync(users, '"postgres" ""\n');
  const pools = databases.flatMap((database) =>
    (['session', 'transaction', 'statement'] as const).map(
      (mode) =>
        `${mode}_${database} = host=${server.host} port=${server.port} dbname=${database} pool_mode=${mode} pool_size=${size}`,
    ),
  );
  const own = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'trust',
    auth_file: users,
    // As many have it, for drivers that say more than it knows.
    ignore_startup_parameters: 'options,statement_timeout',
  };
  const settings = Object.entries(own).map(([name, value]) => `${name} = ${value}`);
  const file = join(folder, 'pgbouncer.ini');
  writeFileSync(file, ['[databases]', ...pools, '[pgbouncer]', ...settings, ''].join('\n'));
  const asWho = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(PROGRAM, ['-q', ...asWho, file], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  child.unref();
  (child.stderr as Socket).resume().unref();
  await listens(port, child);
  return {
    address: (database, mode) => `postgres://postgres@127.0.0.1:${port}/${mode}_${database}`,
    stop: async () => {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listens(port: number, child: ChildProcess): Promise<void> {
  const lateMs = performance.now() + START_MS;
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`pgbouncer ended with ${child.exitCode}`);
    if (performance.now() > lateMs) throw new Error('pgbouncer does not listen');
    await sleep(20);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
