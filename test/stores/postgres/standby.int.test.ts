import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openPostgresStore } from '../../../src/stores/postgres/store.ts';
import { startPostgres, startStandby } from '../../harness/postgres.ts';
import { readRows, refused, seedEvents } from './seeding.ts';

test('a hot standby is backed up like a primary, and says after a promotion that it is another timeline', async () => {
  const primary = await startPostgres();
  const database = await primary.createDatabase();
  const source = openPostgresStore(primary.address(database));
  await source.initialise();
  await seedEvents(primary, database, 20_000);
  const standby = await startStandby(primary);
  const store = openPostgresStore(standby.address(database));
  try {
    await source.append([{ streamId: 'streamed', events: [{ type: 'T', data: '{}' }] }]);
    for (let attempt = 0; attempt < 100 && (await store.count()).events < 20_001; attempt += 1)
      await sleep(50);

    const onPrimary = await source.openSnapshot();
    const snapshot = await store.openSnapshot();
    const reader = await store.joinSnapshot(snapshot.token!);
    assert.equal((await readRows(reader, await snapshot.planRanges(4))).length, 20_001);
    const { snapshot: seen, role, lsn, started, ...place } = snapshot.cursor;
    const { snapshot: seenOnPrimary, role: primaryRole, lsn: primaryLsn, ...there } = onPrimary.cursor;
    const { started: primaryStarted, ...primaryPlace } = there;
    assert.notEqual(started, primaryStarted);
    assert.deepEqual(place, primaryPlace);
    assert.deepEqual([role, primaryRole], ['standby', 'primary']);
    assert.match(`${lsn} ${primaryLsn}`, /^[0-9A-F]+\/[0-9A-F]+ [0-9A-F]+\/[0-9A-F]+$/);
    assert.match(`${seen} ${seenOnPrimary}`, /^\d+:\d+:\S* \d+:\d+:/);
    await reader.close();
    await snapshot.close();
    await onPrimary.close();
    await refused(
      store.append([{ streamId: 'a', events: [{ type: 'T', data: '{}' }] }]),
      'store_refused',
      /primary/,
    );
    const attempt = store.openRestore({ attemptId: 'a', replace: true });
    await refused(attempt, 'store_refused', /standby/);

    await source.close();
    await primary.stop();
    await standby.exec('SELECT pg_promote(true, 20)');
    const promoted = await store.openSnapshot();
    // At once, while the control file may still name the old timeline.
    const { snapshot: _, lsn: __, ...promotedPlace } = promoted.cursor;
    assert.deepEqual(promotedPlace, { ...place, started, timeline: 2, role: 'primary' });
    await promoted.close();
  } finally {
    await store.close();
    await standby.stop();
    await source.close();
    await primary.stop();
  }
});
