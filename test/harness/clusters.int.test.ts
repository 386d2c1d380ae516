import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killServer, startCluster, stopSenders, waitForStandbys } from './clusters.ts';
import { startCopy } from './postgres.ts';

test('a killed cluster starts again, and a copy of what it left has what its standbys never got', async () => {
  const cluster = await startCluster({
    primary: { host: '127.0.1.1' },
    standbys: [{ host: '127.0.1.2' }],
    settings: { synchronous_standby_names: '' },
  });
  const { primary, standbys } = cluster;
  try {
    await primary.exec('CREATE TABLE t (n int); INSERT INTO t VALUES (1)');
    await waitFor(async () => (await standbys[0]!.exec("SELECT to_regclass('t') AS t"))[0]!.t !== null);
    stopSenders(primary);
    await primary.exec('INSERT INTO t VALUES (2)');
    await killServer(primary);
    assert.equal(primary.pid(), null);
    await assert.rejects(primary.exec('SELECT 1'), /ECONNREFUSED/);
    assert.deepEqual(await standbys[0]!.exec('SELECT n FROM t'), [{ n: 1 }]);
    const copy = await startCopy(primary);
    assert.deepEqual(await copy.exec('SELECT n FROM t ORDER BY n'), [{ n: 1 }, { n: 2 }]);
    await copy.stop();
    await primary.restart(() => undefined);
    await waitForStandbys(primary, 1);
    await waitFor(async () => (await standbys[0]!.exec('SELECT n FROM t')).length === 2);
  } finally {
    await cluster.stop();
  }
});

async function waitFor(isDone: () => Promise<boolean>): Promise<void> {
  const lateMs = performance.now() + 20_000;
  while (!(await isDone())) assert.ok(performance.now() < lateMs, 'waited too long');
}
