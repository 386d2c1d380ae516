/** Drills of a store in PostgreSQL, which goes on being written meanwhile. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BackupError } from '../../src/core/errors.ts';
import { digestAt, makeFolder, runHere, withStoreAt } from '../harness/command.ts';
import { drilledBy } from '../harness/drill-world.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

describe('a drill of a store in PostgreSQL', () => {
  let server: TestPostgres;
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let store: string;
  before(async () => {
    server = await startPostgres();
    folder = await makeFolder();
    store = server.address(await server.createDatabase('shop'));
    await withStoreAt(store, (opened) => opened.initialise());
    for (const words of [
      ['archive', '--once'],
      ['backup', 'full'],
      ['backup', 'incremental'],
      ['archive', '--once'],
    ]) {
      await append(40);
      const ran = await run(words);
      assert.equal(ran.code, 0, ran.stderr);
    }
  });
  after(async () => {
    await folder.remove();
    await server.stop();
  });

  const run = (words: readonly string[]) =>
    runHere([...words, '--store', store, '--vault', `${folder.path}/vault`], {
      env: { PATH: process.env.PATH },
    });
  const append = (count: number) =>
    withStoreAt(store, async (opened) => {
      for (let i = 0; i < count; i += 1) {
        const events = [{ type: 'Noted', data: JSON.stringify({ b: 1, a: i }) }];
        await opened.append([{ streamId: `order-${i % 7}`, events }]);
      }
    });

  it('restores into databases of its own beside it, with guards in force, and touches nothing else', async () => {
    const digest = await digestAt(store);
    const before = await server.exec('SELECT datname FROM pg_database ORDER BY 1');
    const drilled = drilledBy(await run(['drill', '--json', '--target', server.address('postgres')]));
    assert.equal(drilled.code, 0, JSON.stringify(drilled.reasons));
    assert.deepEqual(drilled.states, {
      ...{ backup_creation: 'passed', backup_verification: 'passed', partial_restore: 'passed' },
      ...{ full_restore: 'passed', point_in_time_recovery: 'passed', cross_region_restore: 'skipped' },
      negative_canary: 'passed',
    });
    assert.equal(await digestAt(store), digest);
    assert.deepEqual(await server.exec('SELECT datname FROM pg_database ORDER BY 1'), before);
  });

  it('restores into SQLite as well, and compares the content though it is written in another way', async () => {
    const drilled = drilledBy(
      await run(['drill', '--json', '--target', `sqlite:${folder.path}`, '--sample', '100']),
    );
    assert.equal(drilled.code, 0, JSON.stringify(drilled.reasons));
  });

  it('is refused in the database of the store, by whatever name the server is called', async () => {
    const same = await run(['drill', '--target', store]);
    assert.equal(same.code, 2);
    const alias = await run(['drill', '--target', store.replace('127.0.0.1', 'localhost')]);
    assert.equal(alias.code, new BackupError('store_refused', '').exitCode);
    assert.match(alias.stderr, /is the store itself, by another name/);
  });

  it('fails in all that restores when the target takes nothing, and in nothing else', async () => {
    await server.exec('CREATE ROLE poor LOGIN');
    const drilled = drilledBy(await run(['drill', '--json', '--target', server.address('postgres', 'poor')]));
    assert.equal(drilled.code, 4);
    assert.deepEqual(drilled.failed, [
      ...['backup_creation', 'partial_restore', 'full_restore', 'point_in_time_recovery', 'negative_canary'],
    ]);
    assert.match(drilled.reasons.full_restore!, /no database for the drill can be made: permission denied/);
  });
});
