import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { BackupError } from '../../../src/core/errors.ts';
import { openRegionServer } from '../../../src/servers/postgres/server.ts';
import {
  type Cluster,
  freezeServer,
  killServer,
  startCluster,
  stopSenders,
  waitForStandbys,
} from '../../harness/clusters.ts';
import type { TestPostgres } from '../../harness/postgres.ts';

let cluster: Cluster;
before(async () => {
  cluster = await startCluster({ standbys: [{ name: 'west' }, { name: 'north' }] });
});
after(() => cluster.stop());

const within = (ms: number) => ({ signal: AbortSignal.timeout(ms) });

function open(server: TestPostgres, user = 'postgres', region = 'east') {
  return openRegionServer({ region, address: server.address('postgres', user) });
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const lateMs = performance.now() + 20_000;
  while (!(await isSo())) assert.ok(performance.now() < lateMs, 'waited too long');
}

test('a primary and a standby say what they are, and so they do to a role of pg_monitor', async () => {
  const { primary, standbys } = cluster;
  await primary.exec('CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher');
  const [{ id, version }] = (await primary.exec(
    "SELECT (SELECT system_identifier::text FROM pg_control_system()) AS id, current_setting('server_version') AS version",
  )) as [{ id: string; version: string }];
  for (const user of ['postgres', 'watcher']) {
    const state = await open(primary, user).probe(within(5000));
    const { position, clockAheadMs, ...rest } = state;
    assert.deepEqual(rest, {
      ...{ role: 'primary', systemIdentifier: id, timeline: 1, serverVersion: version },
      ...{
        replayed: null,
        isReplayPaused: false,
        applyDelayMs: 0,
        upstream: null,
        isFenced: false,
        clients: 0,
      },
    });
    assert.match(position, /^[0-9A-F]+\/[0-9A-F]+$/);
    assert.ok(Math.abs(clockAheadMs) < 1000);
    await until(async () => (await open(standbys[0]!, user).probe(within(5000))).position === position);
    const { clockAheadMs: _, ...standby } = await open(standbys[0]!, user).probe(within(5000));
    assert.ok(standby.upstream!.heardAgoMs < 5000);
    assert.deepEqual(standby, {
      ...{ role: 'standby', systemIdentifier: id, timeline: 1, serverVersion: version, position },
      ...{ replayed: position, isReplayPaused: false, applyDelayMs: 0, isFenced: false, clients: 0 },
      upstream: { heardAgoMs: standby.upstream!.heardAgoMs, host: '127.0.0.1', port: primary.port },
    });
  }
  assert.equal(await open(primary).countStandbys(within(5000)), 2);
});

test('clients that could write are counted, ours are not, and who may not see them says so', async () => {
  const { primary } = cluster;
  await primary.exec('CREATE ROLE nobody LOGIN');
  const busy = primary.exec('SELECT pg_sleep(0.7)');
  await until(async () => (await open(primary).probe(within(5000))).clients === 1);
  assert.equal((await open(primary, 'nobody').probe(within(5000))).clients, null);
  await busy;
});

test('a standby says that its replay is paused and delayed, and is ahead of what it replayed', async () => {
  const { primary, standbys } = cluster;
  const [standby] = standbys;
  await standby!.exec('SELECT pg_wal_replay_pause()');
  await standby!.exec("ALTER SYSTEM SET recovery_min_apply_delay = '1min'");
  await standby!.exec('SELECT pg_reload_conf()');
  await primary.exec('CREATE TABLE t (n int)');
  await until(async () => {
    const { isReplayPaused, applyDelayMs, position, replayed } = await open(standby!).probe(within(5000));
    return isReplayPaused && applyDelayMs === 60_000 && position !== replayed;
  });
  await standby!.exec('ALTER SYSTEM RESET recovery_min_apply_delay');
  await standby!.exec('SELECT pg_reload_conf()');
  await standby!.exec('SELECT pg_wal_replay_resume()');
});

test('a sample has the position and the rows ever put into the table of events, and none is taken of a standby', async () => {
  const { primary, standbys } = cluster;
  const address = `postgres://postgres:s3cret@127.0.0.1:${primary.port}/postgres?schema=app`;
  const server = openRegionServer({ region: 'east', address, eventTable: 'moments' });
  assert.ok(!server.address.includes('s3cret'));
  assert.equal((await server.sample(within(5000)))!.eventsInserted, null);
  await primary.exec('CREATE SCHEMA app; CREATE TABLE app.moments (n int)');
  await primary.exec('INSERT INTO app.moments SELECT generate_series(1, 30)');
  await until(async () => (await server.sample(within(5000)))!.eventsInserted === 30);
  const { sampledAt, systemIdentifier, position, ...rest } = (await server.sample(within(5000)))!;
  assert.deepEqual(rest, { region: 'east', server: server.address, timeline: 1, eventsInserted: 30 });
  assert.ok(Math.abs(Date.parse(sampledAt) - Date.now()) < 5000);
  assert.equal(await open(standbys[0]!).sample(within(5000)), null);
});

test('what says no is told from what says nothing, and nothing waits longer than it may', async () => {
  const { primary } = cluster;
  const at = (port: number, rest = 'postgres') =>
    openRegionServer({ region: 'r', address: `postgres://a@127.0.0.1:${port}/${rest}` });
  const failed = (error: unknown): BackupError => {
    assert.ok(error instanceof BackupError, String(error));
    return error;
  };
  const refused = failed(
    await at(primary.port)
      .probe(within(5000))
      .catch((error) => error),
  );
  assert.deepEqual([refused.code, refused.facts], ['store_refused', { sqlState: '28000' }]);
  const dead = failed(
    await at(1)
      .probe(within(5000))
      .catch((error) => error),
  );
  assert.deepEqual([dead.code, dead.facts], ['store_unreachable', {}]);

  const silent = createServer((socket) => socket.on('error', () => undefined))
    .listen(0, '127.0.0.1')
    .unref();
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const thaw = freezeServer(primary);
  try {
    for (const server of [at(port), at(primary.port), at(port, 'postgres?sslmode=verify-full')]) {
      for (const call of [
        server.probe(within(300)),
        server.fence('m', within(300)),
        server.promote(within(300)),
      ]) {
        const beganMs = performance.now();
        const late = failed(await call.catch((error) => error));
        assert.deepEqual([late.code, late.facts], ['store_unreachable', { timedOut: true }]);
        assert.ok(performance.now() - beganMs < 600);
      }
    }
  } finally {
    thaw();
    silent.close();
  }
  const stopping = new AbortController();
  const call = open(primary).probe({ signal: stopping.signal });
  stopping.abort(new BackupError('interrupted', 'interrupted'));
  await assert.rejects(call, { code: 'interrupted' });
  const server = open(primary);
  await server.close();
  await assert.rejects(server.probe(within(5000)), { code: 'store_unreachable' });
});

test('a standby is promoted once, says where it left the timeline, and the others follow it', async () => {
  const { primary, standbys } = cluster;
  const [west, north] = standbys as [TestPostgres, TestPostgres];
  const resume = stopSenders(primary);
  await primary.exec('CREATE TABLE lost (n int)');
  await killServer(primary);
  resume();
  // Restarted without its primary, it has received less than it has replayed.
  await west.restart(() => undefined);
  const before = await open(west).probe(within(5000));
  assert.deepEqual([before.role, before.upstream, before.position], ['standby', null, before.replayed]);
  const promoted = await open(west).promote(within(10_000));
  assert.deepEqual([promoted.timeline, promoted.forkLsn], [2, before.position]);
  assert.deepEqual(await open(west).promote(within(10_000)), promoted);
  await west.exec('CREATE TABLE kept (n int)');
  const after = await open(west).probe(within(5000));
  assert.deepEqual([after.role, after.timeline], ['primary', 2]);

  const place = { host: '127.0.0.1', port: west.port };
  assert.equal(await open(north).follow(place, within(10_000)), true);
  assert.equal(await open(north).follow(place, within(10_000)), false);
  await waitForStandbys(west, 1);
  const { upstream, timeline } = await open(north).probe(within(5000));
  assert.deepEqual([upstream!.port, timeline], [west.port, 2]);
  const [{ conninfo }] = (await north.exec("SELECT current_setting('primary_conninfo') AS conninfo")) as [
    { conninfo: string },
  ];
  assert.equal(conninfo, `host=127.0.0.1 port=${west.port} user=postgres application_name=north`);
  await assert.rejects(open(north).follow({ host: '127.0.0.1', port: 1 }, within(400)), {
    code: 'store_unreachable',
    facts: { timedOut: true },
  });
  await assert.rejects(open(west).follow(place, within(400)), { code: 'store_refused' });
});
