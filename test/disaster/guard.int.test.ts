import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { openRegionServer, openVault, systemClock } from '../../src/cli/wire.ts';
import { leaseFence } from '../../src/disaster/lease-fence.ts';
import { type Cluster, startCluster } from '../harness/clusters.ts';
import { startCommand } from '../harness/command.ts';
import { type CuttingProxy, startCuttingProxy } from '../harness/cutting-proxy.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { type S3Server, startS3Server } from '../harness/s3-server/server.ts';

const TTL_MS = 3000;
const BUCKET = 'lease';
const DATABASE = 'events';

let s3: S3Server;
const guards: ChildProcess[] = [];
const writing: Writer[] = [];

before(async () => {
  s3 = await startS3Server();
  s3.createBucket(BUCKET);
});

after(async () => {
  for (const guard of guards) guard.kill('SIGKILL');
  await Promise.all(writing.map((writer) => writer.stop()));
  await s3.stop();
});

function vaultAt(endpoint: string, prefix: string): string {
  return `s3://${BUCKET}/${prefix}?endpoint=${endpoint}`;
}

interface GuardRun {
  readonly child: ChildProcess;
  readonly said: () => string;
}

function startGuard(server: TestPostgres, vault: string): GuardRun {
  const words = [
    'dr',
    'guard',
    '--server',
    server.address(DATABASE),
    '--data-dir',
    server.dataDir,
    '--lease-vault',
    vault,
    '--ttl',
    '3s',
  ];
  const env = { AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey };
  const child = startCommand(tmpdir(), ['--log-level', 'info', ...words], { env });
  guards.push(child);
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
  }
  return { child, said: () => said };
}

/** An application that writes one row after the other, and connects again whenever it is put out. */
interface Writer {
  /** When each write was acknowledged. */
  readonly acks: number[];
  stop(): Promise<void>;
}

function startWriter({ host, port }: TestPostgres): Writer {
  const acks: number[] = [];
  const state = { isOver: false };
  const write = async (): Promise<void> => {
    const client = new pg.Client({
      host,
      port,
      user: 'app',
      database: DATABASE,
      connectionTimeoutMillis: 500,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      while (!state.isOver) {
        await client.query('INSERT INTO written DEFAULT VALUES');
        acks.push(performance.now());
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  const running = (async () => {
    while (!state.isOver) {
      await write().catch(() => undefined);
      await sleep(20);
    }
  })();
  const writer = {
    acks,
    stop: (): Promise<void> => {
      state.isOver = true;
      return running;
    },
  };
  writing.push(writer);
  return writer;
}

async function prepare(server: TestPostgres): Promise<void> {
  await server.createDatabase(DATABASE);
  await server.exec('CREATE ROLE app LOGIN');
  await server.exec('CREATE TABLE written (id bigserial PRIMARY KEY)', DATABASE);
  await server.exec('GRANT ALL ON written, written_id_seq TO app', DATABASE);
}

async function until(what: string, isSo: () => boolean, guard: GuardRun, limitMs = 12_000): Promise<number> {
  const beganAtMs = performance.now();
  while (!isSo()) {
    const passedMs = performance.now() - beganAtMs;
    if (passedMs > limitMs) assert.fail(`not in ${limitMs} ms: ${what}\n${guard.said()}`);
    await sleep(10);
  }
  return performance.now();
}

/** Something was written after this instant. */
function writesAfter({ acks }: Writer, atMs: number): () => boolean {
  return () => (acks.at(-1) ?? 0) > atMs;
}

async function untilQuiet(writer: Writer, forMs: number, guard: GuardRun): Promise<void> {
  await until('nobody writes', () => performance.now() - (writer.acks.at(-1) ?? 0) > forMs, guard);
}

function watchdogOf(guard: GuardRun): number | null {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.find((pid) => isWatchdogOf(pid, guard.child.pid!)) ?? null;
}

function isWatchdogOf(pid: number, parent: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(ppid) === parent && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--watchdog');
  } catch {
    return false;
  }
}

describe('a guard beside a real server', { concurrency: true }, () => {
  let single: TestPostgres;
  let cluster: Cluster;
  let cut: CuttingProxy;

  before(async () => {
    [single, cluster, cut] = await Promise.all([
      startPostgres({ isConfiguredByFile: true }),
      startCluster(),
      startCuttingProxy(s3.endpoint),
    ]);
    await Promise.all([single, cluster.primary].map(prepare));
  });

  after(async () => {
    await Promise.all([single.stop(), cluster.stop(), cut.stop()]);
  });

  it('is watched over: whichever of the two is killed or halted, nobody writes beyond the lease', async () => {
    const vault = vaultAt(s3.endpoint, 'single');
    const writer = startWriter(single);
    const first = startGuard(single, vault);
    await until('it is open', () => first.said().includes('open: '), first);
    await until('it is written to', writesAfter(writer, performance.now()), first);

    const watchdog = await waitFor(() => watchdogOf(first));
    process.kill(watchdog, 'SIGKILL');
    await until('another watchdog', () => ![null, watchdog].includes(watchdogOf(first)), first);
    await until('it is written to all the same', writesAfter(writer, performance.now()), first);

    const haltedAtMs = performance.now();
    first.child.kill('SIGSTOP');
    await until('the watchdog has closed it', () => first.said().includes('the guard is held up'), first);
    await untilQuiet(writer, 400, first);
    const { acks } = writer;
    assert.ok(acks.at(-1)! - haltedAtMs < TTL_MS + 2000, `written for ${acks.at(-1)! - haltedAtMs} ms`);
    const lastAtMs = acks.at(-1);
    first.child.kill('SIGCONT');
    first.child.kill('SIGTERM');
    await new Promise((resolve) => first.child.once('exit', resolve));
    assert.equal(first.child.exitCode, 130, first.said());
    assert.equal(acks.at(-1), lastAtMs, 'it was open again without a lease');

    const second = startGuard(single, vault);
    await until('it is open', () => second.said().includes('open: '), second);
    await until('it is written to', writesAfter(writer, performance.now()), second);
    const killedAtMs = performance.now();
    second.child.kill('SIGKILL');
    await untilQuiet(writer, 400, second);
    await sleep(300);
    assert.ok(acks.at(-1)! - killedAtMs < TTL_MS, `written for ${acks.at(-1)! - killedAtMs} ms`);
    await writer.stop();
  });

  it('cut off from its vault, closes in time: who takes the lease promotes, and never are there two writers', async () => {
    const { primary, standbys } = cluster;
    const [standby] = standbys as [TestPostgres];
    const old = startGuard(primary, vaultAt(cut.endpoint, 'pair'));
    const next = startGuard(standby, vaultAt(s3.endpoint, 'pair'));
    const writers = [startWriter(primary), startWriter(standby)] as const;
    await until('the primary is written to', () => old.said().includes('open: '), old);
    await until('the primary is written to', writesAfter(writers[0], performance.now()), old);
    await until('the standby stands by', () => next.said().includes('standby: '), next);

    const cutAtMs = performance.now();
    cut.begin(() => ({ afterSent: 1 }));
    process.env.AWS_ACCESS_KEY_ID = s3.accessKeyId;
    process.env.AWS_SECRET_ACCESS_KEY = s3.secretAccessKey;
    const vault = openVault(vaultAt(s3.endpoint, 'pair'));
    await vault.open({ create: false });
    const server = await openRegionServer({ region: 'west', address: standby.address(DATABASE) });
    const signal = AbortSignal.timeout(60_000);
    const { systemIdentifier, timeline } = await server.probe({ signal });
    const fence = leaseFence(
      { vault, clock: systemClock, holder: 'a recovery' },
      {
        planId: '0192f0c4-5b7a-7e3a-9c41-2f5d3a1b8e70',
        ttlMs: TTL_MS,
        deposed: { systemIdentifier, timeline },
      },
    );
    await fence.apply({ signal });
    const fencedAtMs = performance.now();
    const lastOld = writers[0].acks.at(-1)!;
    assert.ok(lastOld < fencedAtMs - 100, 'the old primary was written to when the fence was said to hold');
    assert.ok(lastOld - cutAtMs < TTL_MS, `the old primary was written to for ${lastOld - cutAtMs} ms`);
    await server.promote({ signal });
    await until('the new primary is written to', writesAfter(writers[1], fencedAtMs), next);

    cut.begin(() => null);
    await until('the old one is told so', () => old.said().includes('refused: '), old);
    await sleep(500);
    await Promise.all(writers.map((writer) => writer.stop()));
    assert.equal(writers[0].acks.at(-1), lastOld, 'the old primary came back');
    assert.ok(writers[1].acks[0]! > lastOld);
    await server.close();
    await vault.close();
  });
});

async function waitFor<Value>(find: () => Value | null): Promise<Value> {
  for (let i = 0; i < 500; i += 1) {
    const found = find();
    if (found !== null) return found;
    await sleep(10);
  }
  return assert.fail('it did not come');
}
