import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { makeFolder, runHere } from '../harness/command.ts';
import { startPostgres, startStandby } from '../harness/postgres.ts';

test('a backup reads the standby where it is told to, and the primary when the standby is gone', async () => {
  const folder = await makeFolder();
  const primary = await startPostgres();
  const database = await primary.createDatabase();
  const store = openPostgresStore(primary.address(database));
  await store.initialise();
  await store.append([{ streamId: 'a', events: [{ type: 'T', data: '{}' }] }]);
  const standby = await startStandby(primary);
  const [store1, standby1] = [primary.address(database), standby.address(database)];
  const common = ['--store', store1, '--vault', join(folder.path, 'vault'), '--json'];
  const backUp = async (kind: string, ...options: string[]) => {
    const { code, stdout, stderr } = await runHere(['backup', kind, ...common, ...options]);
    assert.equal(code, 0, stderr);
    return { ...JSON.parse(stdout), stderr };
  };
  try {
    for (let tries = 0; tries < 100; tries += 1) {
      const [{ there }] = (await standby.exec(
        "SELECT to_regclass('eventcore_events') IS NOT NULL AS there",
        database,
      )) as [{ there: boolean }];
      if (there) break;
      await sleep(50);
    }
    const preferred = ['--target', 'prefer-standby', '--standby', standby1];
    assert.equal((await backUp('full', ...preferred)).cursor.role, 'standby');
    assert.equal((await backUp('full')).cursor.role, 'primary');
    assert.equal((await backUp('incremental', ...preferred)).cursor.role, 'standby');
    await standby.exec('SELECT pg_wal_replay_pause()');
    await store.append([{ streamId: 'a', events: [{ type: 'T', data: '{}' }] }]);
    assert.equal((await backUp('incremental')).totalEvents, 1);
    const behind = await backUp('incremental', ...preferred);
    assert.deepEqual([behind.cursor.role, behind.totalEvents], ['primary', 0]);
    assert.match(behind.stderr, /reading from the primary: the standby is at/);
    await standby.stop();
    const { cursor, kind, stderr } = await backUp('incremental', ...preferred);
    assert.deepEqual([cursor.role, kind], ['primary', 'incremental']);
    assert.match(stderr, /reading from the primary: /);
    const strict = await runHere(['backup', 'full', ...common, '--target', 'standby', '--standby', standby1]);
    assert.equal(strict.code, 5);
    const none = await runHere(['backup', 'full', ...common, '--target', 'standby']);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /needs a standby, and none is named/);
  } finally {
    await store.close();
    await standby.stop();
    await primary.stop();
    await folder.remove();
  }
});
