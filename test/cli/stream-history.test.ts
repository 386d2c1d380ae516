import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fillStore, makeFolder, type Ran, runHere, withStoreAt } from '../harness/command.ts';

const STORE = 'sqlite:events.db';
const STREAM = "order's \u{1F600}";

describe('one stream over backups', () => {
  let remove: () => Promise<void>;
  const run = (...words: string[]): Promise<Ran> => runHere([...words, '--vault', 'vault']);
  const json = async (...words: string[]) => {
    const ran = await run(...words, '--json');
    return { ran, document: ran.stdout === '' ? null : JSON.parse(ran.stdout) };
  };
  const append = (streamId: string, count: number, address = STORE) =>
    withStoreAt(address, (store) =>
      store.append([
        { streamId, events: Array.from({ length: count }, () => ({ type: 'Added', data: '{}' })) },
      ]),
    );
  const backUp = async (kind: string, ...flags: string[]): Promise<string> => {
    const { ran, document } = await json('backup', kind, '--store', STORE, ...flags);
    assert.equal(ran.code, 0, ran.stderr);
    return document.backupId;
  };
  const ids: string[] = [];

  before(async () => {
    const folder = await makeFolder();
    remove = folder.remove;
    process.chdir(folder.path);
    // Streams enough for several chunks of heads.
    await fillStore(STORE, 12_000);
    ids.push(await backUp('full'));
    await append(STREAM, 3);
    ids.push(await backUp('incremental'));
    await append('another', 1);
    ids.push(await backUp('incremental'));
    await append(STREAM, 2);
    ids.push(await backUp('full'));
    await append(STREAM, 1);
  });
  after(() => {
    process.chdir('/');
    return remove();
  });

  it('is told backup by backup, the newest first, with where the store stands', async () => {
    const { ran, document } = await json('show', '--stream', STREAM, '--store', STORE);
    assert.equal(ran.code, 0, ran.stderr);
    const told = document.history.map((point: Record<string, unknown>) => [
      ...[point.backupId, point.chainId, point.state, point.isChanged],
      ...[point.events, point.firstVersion, point.lastVersion],
    ]);
    const [full, grown, other, newer] = ids;
    assert.deepEqual(told, [
      [newer, newer, 'held', true, 5, 1, 5],
      [other, full, 'held', false, 3, 1, 3],
      [grown, full, 'held', true, 3, 1, 3],
      [full, full, 'absent', false, undefined, undefined, undefined],
    ]);
    const { store, standing, onlyInBackups, omitted } = document;
    assert.deepEqual([store.state, store.events, store.lastVersion], ['held', 6, 6]);
    assert.deepEqual([standing, onlyInBackups, omitted], ['ahead', null, 0]);
    assert.ok(Math.abs(Date.parse(store.lastEventMadeAt) - Date.now()) < 60_000);
  });

  it('says what only backups have, of a store that fell back or has it no more', async () => {
    const at = async (backup: string, name: string): Promise<string> => {
      const ran = await run('restore', '--to', `sqlite:${name}`, '--backup', backup);
      assert.equal(ran.code, 0, ran.stderr);
      return `sqlite:${name}`;
    };
    const { document: behind } = await json(
      ...['show', '--stream', STREAM, '--store', await at(ids[1]!, 'old.db')],
    );
    assert.equal(behind.standing, 'behind');
    assert.deepEqual(behind.onlyInBackups, { fromVersion: 4, toVersion: 5, backupId: ids[3] });
    const { document: gone } = await json(
      ...['show', '--stream', STREAM, '--store', await at(ids[0]!, 'gone.db')],
    );
    assert.deepEqual([gone.standing, gone.onlyInBackups.fromVersion], ['gone', 1]);
    await append(STREAM, 6, 'sqlite:gone.db');
    const { document: other } = await json('show', '--stream', STREAM, '--store', 'sqlite:gone.db');
    assert.deepEqual([other.standing, other.onlyInBackups], ['differs', null]);
  });

  it('is told to people, and of one backup alone', async () => {
    const { stdout } = await run('show', ids[2]!, '--stream', STREAM, '--store', STORE);
    assert.match(stdout, /^Stream "order's \u{1F600}"\n/u);
    assert.match(stdout, /store +sqlite:.*: 6 events, versions 1–6, the last is /);
    assert.match(stdout, /standing +the store has all of the newest backup, and went on/);
    assert.match(stdout, new RegExp(`UTC +${ids[2]!.slice(0, 8)} +incremental +3 +1–3 +[0-9a-f-]{36} of `));
    assert.equal(stdout.match(/incremental|full/g)?.length, 1);
  });

  it('is not there: exit code 3, with its neighbours; with older backups left out, that too', async () => {
    const { ran } = await json('show', '--stream', 'anothe', '--store', STORE, '--limit', '3');
    assert.equal(ran.code, 3);
    const { error } = JSON.parse(ran.stderr);
    assert.equal(error.code, 'stream_not_found');
    assert.match(error.hint, /"another".*1 older backups were not looked into/);
  });

  it('is told in part where the store cannot be asked: exit code 10', async () => {
    const { ran, document } = await json('show', '--stream', STREAM, '--store', 'sqlite:none.db');
    assert.equal(ran.code, 10, ran.stderr);
    assert.deepEqual([document.store.state, document.standing], ['unknown', 'unknown']);
    assert.equal(document.store.problem.code, 'not_an_event_store');
    assert.equal(document.onlyInBackups, null);
    assert.equal(document.history[0].state, 'held');
  });

  it('lists streams by how their names begin, of the newest backup or another one, as the whole list has them', async () => {
    const { document: all } = await json('show', ids[2]!, '--streams');
    const names: string[] = all.streams.map(({ streamId }: { streamId: string }) => streamId);
    assert.ok(names.length > 1000);
    for (const prefix of ['', 'a', names[700]!.slice(0, -2), names.at(-1)!, 'order', 'zzz']) {
      const wanted = all.streams.filter(({ streamId }: { streamId: string }) => streamId.startsWith(prefix));
      const { ran, document } = await json(
        ...['show', ids[2]!, '--streams', '--prefix', prefix, '--limit', '20'],
      );
      assert.equal(ran.code, 0, ran.stderr);
      assert.deepEqual(document.streams, wanted.slice(0, 20), prefix);
      assert.equal(document.hasMoreStreams, wanted.length > 20);
    }
    const { document: newest } = await json('show', '--streams', '--prefix', 'order', '--limit', '5');
    assert.deepEqual([newest.backupId, newest.streams[0].events], [ids[3], 5]);
  });

  it('takes flags that go together, and refuses others', async () => {
    for (const words of [
      ['show'],
      ['show', '--prefix', 'a'],
      ['show', '--limit', '3'],
      ['show', '--stream', 'a', '--streams'],
      ['show', '--stream', 'a', '--prefix', 'b'],
      ['show', '--streams', '--limit', '0'],
    ]) {
      assert.equal((await run(...words)).code, 2, words.join(' '));
    }
  });
});

describe('one stream over sealed backups', () => {
  it('is not known without a key: exit code 10', async () => {
    const { path, remove } = await makeFolder();
    process.chdir(path);
    try {
      await withStoreAt(STORE, async (store) => {
        await store.initialise();
        await store.append([{ streamId: 'a', events: [{ type: 'T', data: '{}' }] }]);
      });
      const generated = await runHere(['keys', 'generate', '--to', 'key.age', '--json']);
      assert.equal(generated.code, 0, generated.stderr);
      const { recipient } = JSON.parse(generated.stdout);
      const backup = await runHere([
        ...['backup', 'full', '--vault', 'vault', '--store', STORE, '--recipient', recipient],
      ]);
      assert.equal(backup.code, 0, backup.stderr);
      const words = ['show', '--stream', 'a', '--vault', 'vault'];
      const blind = await runHere([...words, '--json']);
      assert.equal(blind.code, 10, blind.stderr);
      const [point] = JSON.parse(blind.stdout).history;
      assert.deepEqual([point.state, point.problem.code], ['unknown', 'key_missing']);
      assert.match((await runHere(words)).stdout, /not known: it is sealed for age1.*no identity is given/);
      const opened = await runHere([...words, '--identity', 'key.age', '--json']);
      assert.deepEqual([opened.code, JSON.parse(opened.stdout).history[0].events], [0, 1], opened.stderr);
    } finally {
      process.chdir('/');
      await remove();
    }
  });
});
