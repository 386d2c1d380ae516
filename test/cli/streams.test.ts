import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fillStore, makeFolder, type Ran, runHere, withStoreAt } from '../harness/command.ts';

const STORE = 'sqlite:events.db';
const STREAM = 'one-more';

describe('restore of single streams', () => {
  let remove: () => Promise<void>;
  const run = (...words: string[]): Promise<Ran> => runHere([...words, '--vault', 'vault']);
  const append = (address: string, count: number) =>
    withStoreAt(address, (store) =>
      store.append([
        { streamId: STREAM, events: Array.from({ length: count }, () => ({ type: 'Added', data: '{}' })) },
      ]),
    );
  const count = (address: string) => withStoreAt(address, (store) => store.count());

  before(async () => {
    const folder = await makeFolder();
    remove = folder.remove;
    process.chdir(folder.path);
    await fillStore(STORE, 500);
    await append(STORE, 7);
    for (const kind of ['full', 'incremental']) {
      const ran = await run('backup', kind, '--store', STORE);
      assert.equal(ran.code, 0, ran.stderr);
      await append(STORE, 2);
    }
  });
  after(() => {
    process.chdir('/');
    return remove();
  });

  it('brings one stream into a new store, after saying so with --dry-run', async () => {
    const words = ['restore', '--to', 'sqlite:one.db', '--stream', STREAM];
    const planned = await run(...words, '--dry-run', '--json');
    assert.equal(planned.code, 0, planned.stderr);
    const streams = [{ streamId: STREAM, action: 'created', fromVersion: 1, toVersion: 9, events: 9 }];
    assert.deepEqual(JSON.parse(planned.stdout).streams, streams);
    const ran = await run(...words);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /^Restored 9 events in 1 stream into sqlite:one\.db\n/);
    assert.match(ran.stdout, /checkpoints and command snapshots are left out/);
    assert.match(ran.stdout, /one-more +created +9 +1–9/);
    assert.deepEqual(await count('sqlite:one.db'), { events: 9, streams: 1 });
  });

  it('refuses a store that holds events, and names --merge, which adds the missing tail to it', async () => {
    const first = ['restore', '--to', 'sqlite:live.db', '--stream', STREAM];
    assert.equal((await run(...first)).code, 0);
    const refused = await run(...first);
    assert.equal(refused.code, 9);
    assert.match(refused.stderr, /hint: pass --merge/);
    await append('sqlite:live.db', 3);
    const ahead = await run(...first, '--merge', '--json');
    const { streams, eventsRestored } = JSON.parse(ahead.stdout);
    assert.deepEqual([streams[0].action, streams[0].aheadAt, eventsRestored], ['unchanged', 12, 0]);
    const planned = await run('restore', '--to', 'sqlite:live.db', '--merge', '--dry-run');
    assert.match(planned.stdout, /^Would add 500 events in /);
    assert.equal((await count('sqlite:live.db')).events, 12);
    const merged = await run('restore', '--to', 'sqlite:live.db', '--merge');
    assert.equal(merged.code, 0, merged.stderr);
    assert.equal((await count('sqlite:live.db')).events, 512);
  });

  it('refuses a store whose stream went another way, with the stream and the version', async () => {
    await withStoreAt('sqlite:other.db', (store) => store.initialise());
    await append('sqlite:other.db', 4);
    const { code, stderr } = await run(
      ...['restore', '--to', 'sqlite:other.db', '--stream', STREAM, '--merge', '--json'],
    );
    assert.equal(code, 4);
    const { error } = JSON.parse(stderr.trim().split('\n').at(-1)!);
    assert.deepEqual(
      [error.code, error.facts.streamId, error.facts.version],
      ['store_diverged', STREAM, '1'],
    );
    assert.equal((await count('sqlite:other.db')).events, 4);
  });

  it('knows no such stream: exit code 3, and its neighbours', async () => {
    const { code, stderr } = await run('restore', '--to', 'sqlite:none.db', '--stream', 'one-mor');
    assert.equal(code, 3);
    assert.match(stderr, /no stream "one-mor"\n/);
    assert.match(stderr, /hint: its neighbours by name are .*"one-more"/);
  });

  it('takes --merge or --replace, not both', async () => {
    const { code } = await run('restore', '--to', 'sqlite:live.db', '--merge', '--replace');
    assert.equal(code, 2);
  });
});
