/**
 * Guards beside a real server that is written to, killed, halted and cut off from their vault at random, their watchdogs as well, but never
 * both at once; somebody else takes the lease whenever it is free: `npm run soak:guard [-- SECONDS [SEED]]`. Fails when a row was written
 * while the lease was somebody else's.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { openRegionServer, openVault, systemClock } from '../../src/cli/wire.ts';
import { isBackupError } from '../../src/core/errors.ts';
import { primaryLease } from '../../src/disaster/claim.ts';
import { makeRandom } from '../../src/testing/random.ts';
import { withLease } from '../../src/upkeep/lease.ts';
import { startCommand } from '../harness/command.ts';
import { startCuttingProxy } from '../harness/cutting-proxy.ts';
import { startPostgres } from '../harness/postgres.ts';
import { startS3Server } from '../harness/s3-server/server.ts';

const seconds = Number(process.argv[2] ?? 120);
const seed = Number(process.argv[3] ?? Date.now() % 100_000);
const random = makeRandom(seed);
const DATABASE = 'events';
const HELD_MS = 1500;

const server = await startPostgres({ isConfiguredByFile: true });
const s3 = await startS3Server();
const proxy = await startCuttingProxy(s3.endpoint);
s3.createBucket('lease');
process.env.AWS_ACCESS_KEY_ID = s3.accessKeyId;
process.env.AWS_SECRET_ACCESS_KEY = s3.secretAccessKey;
await server.createDatabase(DATABASE);
await server.exec('CREATE ROLE app LOGIN');
await server.exec('CREATE TABLE written (at timestamptz NOT NULL DEFAULT clock_timestamp())', DATABASE);
await server.exec('GRANT ALL ON written TO app', DATABASE);

const state = { isOver: false, guard: null as ChildProcess | null, said: '' };
/** Times by the clock of this host, which is the server's. */
const held: { from: number; to: number }[] = [];
const done = new Map<string, number>();

function startGuard(): void {
  const vault = `s3://lease/soak?endpoint=${proxy.endpoint}`;
  const words = ['--server', server.address(DATABASE), '--lease-vault', vault, '--ttl', '3s'];
  const guard = startCommand(tmpdir(), ['--log-level', 'info', 'dr', 'guard', ...words]);
  for (const stream of [guard.stdout!, guard.stderr!]) {
    stream.on('data', (bytes: Buffer) => {
      state.said = (state.said + bytes.toString()).slice(-20_000);
    });
  }
  state.guard = guard;
}

async function write(): Promise<void> {
  while (!state.isOver) {
    const { host, port } = server;
    const client = new pg.Client({ host, port, user: 'app', database: DATABASE });
    client.on('error', () => undefined);
    try {
      await client.connect();
      while (!state.isOver) await client.query('INSERT INTO written DEFAULT VALUES');
    } catch {
      await sleep(10);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

/** Whoever has the lease may believe that nobody writes, from when it has it until before it gives it back. */
async function take(systemIdentifier: string): Promise<void> {
  const vault = openVault(`s3://lease/soak?endpoint=${s3.endpoint}`);
  await vault.open({ create: false });
  while (!state.isOver) {
    await sleep(2000 + random.below(4000));
    const ports = { clock: systemClock, holder: 'somebody else' };
    try {
      await withLease(
        vault,
        primaryLease(systemIdentifier),
        ports,
        async (lease) => {
          const from = Date.now();
          await sleep(HELD_MS);
          lease.assertHeld();
          held.push({ from, to: Date.now() });
        },
        { ttlMs: 10_000, waitMs: 6000 },
      );
    } catch (error) {
      if (!isBackupError(error, 'lease_held')) throw error;
    }
  }
  await vault.close();
}

function watchdog(): number | null {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.find((pid) => isWatchdog(pid)) ?? null;
}

function isWatchdog(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (
      Number(parent) === state.guard?.pid &&
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--watchdog')
    );
  } catch {
    return false;
  }
}

const ACTIONS: Readonly<Record<string, () => Promise<void>>> = {
  kill: async () => {
    state.guard!.kill('SIGKILL');
    await sleep(300 + random.below(1500));
    startGuard();
  },
  stop: async () => {
    state.guard!.kill('SIGTERM');
    await new Promise((resolve) => state.guard!.once('exit', resolve));
    startGuard();
  },
  halt: async () => {
    state.guard!.kill('SIGSTOP');
    await sleep(random.below(7000));
    state.guard!.kill('SIGCONT');
  },
  cut: async () => {
    proxy.begin(() => ({ afterSent: 1 }));
    await sleep(random.below(7000));
    proxy.begin(() => null);
  },
  'kill the watchdog': async () => {
    const pid = watchdog();
    if (pid !== null) process.kill(pid, 'SIGKILL');
    // Until there is another one: both at once is what nobody promises.
    while (watchdog() === null || watchdog() === pid) await sleep(50);
    await sleep(1000);
  },
  wait: () => sleep(random.below(8000)),
};

async function harm(): Promise<void> {
  const names = Object.keys(ACTIONS);
  const untilMs = performance.now() + seconds * 1000;
  while (performance.now() < untilMs) {
    const name = names[random.below(names.length)]!;
    done.set(name, (done.get(name) ?? 0) + 1);
    state.said += `${new Date().toISOString()}  --- ${name}\n`;
    await ACTIONS[name]!();
    await sleep(random.below(3000));
  }
  state.isOver = true;
}

try {
  console.log(`${seconds} s, seed ${seed}`);
  const opened = await openRegionServer({ region: 'here', address: server.address(DATABASE) });
  const { systemIdentifier } = await opened.probe({ signal: AbortSignal.timeout(10_000) });
  startGuard();
  await sleep(3000);
  await Promise.all([write(), write(), take(systemIdentifier), harm()]);
  const rows = await server.exec('SELECT extract(epoch FROM at) * 1000 AS at FROM written', DATABASE);
  const times = rows.map(({ at }) => Number(at));
  const broken = held.filter(({ from, to }) => times.some((at) => at > from && at < to));
  console.log([...done].map(([name, times]) => `${name} ${times}`).join(', '));
  for (const { from, to } of broken) {
    const late = times.filter((at) => at > from && at < to);
    console.log(
      `${late.length} rows until ${Math.round(Math.max(...late) - from)} ms after ${new Date(from).toISOString()}`,
    );
  }
  console.log(
    `${times.length} rows written; the lease was somebody else's ${held.length} times, ${broken.length} times in vain`,
  );
  assert.deepEqual(broken, [], state.said);
  assert.ok(times.length > 0 && held.length > 0, `nothing was tried: ${state.said}`);
} finally {
  state.isOver = true;
  state.guard?.kill('SIGKILL');
  await sleep(2000);
  await proxy.stop();
  await s3.stop();
  await server.stop();
}
