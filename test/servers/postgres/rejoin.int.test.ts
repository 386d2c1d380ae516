import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BackupError } from '../../../src/core/errors.ts';
import { postgresRejoiner, type RejoinOptions } from '../../../src/servers/postgres/rejoin.ts';
import { openRegionServer } from '../../../src/servers/postgres/server.ts';
import { type Cluster, killServer, startCluster, stopSenders } from '../../harness/clusters.ts';
import type { TestPostgres } from '../../harness/postgres.ts';

const within = (ms: number) => ({ signal: AbortSignal.timeout(ms) });

async function failOver(cluster: Cluster): Promise<{ old: TestPostgres; next: TestPostgres }> {
  const { primary: old, standbys } = cluster;
  const next = standbys[0]!;
  await old.exec('CREATE ROLE dr SUPERUSER LOGIN; CREATE TABLE t (n int); INSERT INTO t VALUES (1)');
  while ((await next.exec("SELECT n_live_tup FROM pg_stat_all_tables WHERE relname = 't'")).length === 0)
    await sleep(10);
  while ((await next.exec('SELECT n FROM t')).length === 0) await sleep(10);
  const resume = stopSenders(old);
  await old.exec('INSERT INTO t VALUES (2)');
  const server = openRegionServer({ region: 'east', address: old.address('postgres', 'dr') });
  await server.fence('plan-1', within(10_000));
  await openRegionServer({ region: 'west', address: next.address('postgres') }).promote(within(10_000));
  resume();
  await next.exec('INSERT INTO t VALUES (3)');
  return { old, next };
}

function optionsOf(old: TestPostgres, more: Partial<RejoinOptions> = {}): RejoinOptions {
  return {
    address: old.address('postgres', 'dr'),
    ...{ data: old.dataDir, bin: old.binDir },
    source: "host=nowhere user=postgres password='never shown' dbname=postgres application_name=east",
    ...more,
  };
}

const hasPrograms = (server: TestPostgres) => existsSync(join(server.binDir, 'pg_rewind'));

test('an old primary is rewound and streams, however often that is killed; the new one is never taken for it', async (t) => {
  const cluster = await startCluster();
  t.after(() => cluster.stop());
  if (!hasPrograms(cluster.primary)) return t.skip('no pg_rewind here');
  const original = readFileSync(join(cluster.primary.dataDir, 'pg_hba.conf'));
  const { old, next } = await failOver(cluster);
  await killServer(old);
  const place = { host: '127.0.0.1', port: next.port };
  const wrong = postgresRejoiner({ ...optionsOf(next), address: next.address('postgres', 'dr') });
  await assert.rejects(
    wrong.rejoin(place, within(20_000)),
    /on timeline 2, the new primary on 2: it is no old primary/,
  );
  const asUser = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  const run = process.getuid?.() === 0 ? asUser : [];
  const rejoiner = postgresRejoiner(optionsOf(old, { run }));
  const ends: string[] = [];
  for (const ms of [250, 500, 750, 30_000, 30_000]) {
    const end = await rejoiner.rejoin(place, within(ms)).catch((error: BackupError) => error);
    ends.push('code' in end ? `${end.code} ${end.message}` : String(end.way));
    assert.ok(!ends.join().includes('never shown'));
  }
  assert.equal(ends.at(-1), 'none', ends.join('\n'));
  assert.deepEqual(await old.exec('SELECT n FROM t ORDER BY n'), [{ n: 1 }, { n: 3 }]);
  assert.equal(
    await openRegionServer({ region: 'x', address: next.address('postgres') }).countStandbys(within(5000)),
    1,
  );
  const [{ port }] = (await old.exec("SELECT current_setting('port') AS port")) as [{ port: string }];
  assert.equal(port, String(old.port));
  assert.deepEqual(readFileSync(join(old.dataDir, 'pg_hba.conf')), original);
  assert.equal(existsSync(`${old.dataDir}.rejoin`), false);
});

test('what cannot be rewound is copied where that is allowed, and what it had is kept', async (t) => {
  const cluster = await startCluster({ settings: { wal_log_hints: 'off' }, withoutChecksums: true });
  t.after(() => cluster.stop());
  if (!hasPrograms(cluster.primary)) return t.skip('no pg_rewind here');
  const { old, next } = await failOver(cluster);
  const place = { host: '127.0.0.1', port: next.port };
  await assert.rejects(
    postgresRejoiner(optionsOf(old)).rejoin(place, within(20_000)),
    (error: BackupError) => {
      assert.match(`${error.code} ${error.message}`, /^action_failed .* neither checksums nor wal_log_hints/);
      return true;
    },
  );
  await old.exec('SELECT 1', 'postgres').catch((error) => assert.match(error.message, /pg_hba.conf rejects/));
  const rejoiner = postgresRejoiner(optionsOf(old, { reclone: true }));
  assert.deepEqual(await rejoiner.rejoin(place, within(60_000)), {
    changed: true,
    way: 'copied',
    unfenced: true,
  });
  assert.deepEqual(await old.exec('SELECT n FROM t ORDER BY n'), [{ n: 1 }, { n: 3 }]);
  assert.ok(existsSync(`${old.dataDir}.before-clone/PG_VERSION`));
});
