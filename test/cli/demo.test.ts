import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { StoredEvent } from '../../src/core/event.ts';
import { makeFolder, runHere, withStoreAt } from '../harness/command.ts';

describe('the demonstration', () => {
  let folder: string;
  let remove: () => Promise<void>;
  const demo = (...words: string[]) => runHere(['demo', '--dir', 'work', ...words]);

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    process.chdir(folder);
  });
  after(() => {
    process.chdir('/');
    return remove();
  });

  it('tells the whole story where there is no git history, and removes its folder', async () => {
    const { code, stdout, stderr } = await demo('--events', '500');
    assert.deepEqual([code, stderr], [0, '']);
    const story = [
      /1 {2}An event store\n {3}from the history of a made-up shop\n {3}500 events in \d+ streams/,
      /2 {2}Backup\n {3}[0-9a-f-]{36}, \S+ kB from \S+ kB of events/,
      /3 {2}Verify\n {3}sound: 500 events read back and checked/,
      /was 0x[0-9a-f]{2} and is 0x[0-9a-f]{2}\n {3}found: chunk \d+ of events-00001\.columns\.zst does not have/,
      /5 {2}Disaster: the store is deleted\n {3}events\.db is gone/,
      /6 {2}Restore.*\n {3}500 events in \d+ streams, and the position of 1 consumer/,
      /before {2}([0-9a-f]{64})\n {3}after {3}\1 {2}equal/,
      /8 {2}Life goes on\n {3}appended to "\S+" after version \d+: this is version \d+/,
      /eventcore init .*\n {2}eventcore backup full\n$/,
    ];
    for (const step of story) assert.match(stdout, step);
    assert.deepEqual(await readdir('work'), []);
  });

  it('is one document with --json', async () => {
    const { code, stdout } = await demo('--events', '100', '--json');
    assert.equal(code, 0);
    const document = JSON.parse(stdout);
    assert.deepEqual([document.events, document.eventsRestored, document.equal], [100, 100, true]);
    assert.equal(document.restoredDigest, document.digest);
    assert.equal(document.damage.problem.code, 'chunk_checksum');
    assert.equal(BigInt(document.continued.to), BigInt(document.continued.from) + 1n);
    assert.equal(Object.keys(document.timingsMs).length, 8);
    assert.equal(document.folder, null);
  });

  describe('that fills a store to try things out on', () => {
    const fill = (store: string, ...words: string[]) =>
      runHere(['demo', '--fill', store, '--json', ...words]);

    it('makes it where it is not there, and goes on where it stopped', async () => {
      const first = JSON.parse((await fill('sqlite:./shop.db', '--events', '300')).stdout);
      assert.equal(first.created, true);
      assert.ok(
        first.events >= 300 && first.events < 320 && first.added === first.events,
        String(first.events),
      );
      const second = JSON.parse((await fill('sqlite:./shop.db', '--events', '50')).stdout);
      assert.deepEqual([second.created, second.events], [false, first.events + second.added]);
      assert.ok(second.streams > first.streams);
    });

    it('gives each stream its versions without a gap, and events the time of now', async () => {
      const begunAt = new Date(Date.now() - 1000).toISOString();
      await fill('sqlite:./versions.db', '--events', '150');
      await fill('sqlite:./versions.db', '--events', '150');
      await withStoreAt('sqlite:./versions.db', async (store) => {
        for await (const { streamId, version } of store.listStreams()) {
          const events = await store.readStream(streamId);
          assert.equal(BigInt(events.length), version);
          assert.ok(events.every(({ recordedAt }) => recordedAt > begunAt));
        }
      });
    });

    it('leaves a store alone that has the events of others', async () => {
      await fill('sqlite:./others.db', '--events', '1');
      await withStoreAt('sqlite:./others.db', (store) =>
        store.append([{ streamId: 'precious', events: [{ type: 'Happened', data: '{}' }] }]),
      );
      const { code, stderr } = await fill('sqlite:./others.db');
      assert.equal(code, 2);
      assert.match(stderr, /has events that are not of the made-up shop/);
      await withStoreAt('sqlite:./others.db', async (store) => assert.ok((await store.count()).events < 20));
    });
  });

  describe('on a git history', () => {
    before(makeRepository);

    it('has a stream for each path and the times of the commits', async () => {
      const { code, stdout, stderr } = await demo('--git', 'repo', '--keep', '--json');
      assert.equal(code, 0, stderr);
      const { folder: kept, transactions, events, streams } = JSON.parse(stdout);
      assert.deepEqual([transactions, events, streams], [4, 8, 5]);
      await withStoreAt(`sqlite:${join(kept, 'events.db')}`, async (store) => {
        const readme = await store.readStream('README.md');
        assert.deepEqual(readme.slice(0, 3).map(look), [
          'FileAdded 1 2020-01-01T00:00:00.000000Z',
          'FileChanged 2 2020-01-02T00:00:00.000000Z',
          'FileRenamed 3 2020-01-03T00:00:00.000000Z',
        ]);
        const added = JSON.parse(readme[0]!.data);
        assert.deepEqual(
          [added.path, added.author, added.subject],
          ['README.md', 'Zoë Tester', 'first: "quotes" & ümlauts'],
        );
        assert.ok(!readme.some(({ data }) => data.includes('@')), 'no addresses of people');
        const renamed = await store.readStream('docs/LIES MICH.md');
        assert.deepEqual(renamed.map(look), ['FileAdded 1 2020-01-03T00:00:00.000000Z']);
        assert.equal(JSON.parse(renamed[0]!.data).from, 'README.md');
        const removed = await store.readStream('new\nline.txt');
        assert.deepEqual(
          removed.map(({ type }) => type),
          ['FileAdded', 'FileRemoved'],
        );
        assert.equal((await store.readStream(':colon')).length, 1);
      });
      await rm(kept, { recursive: true });
    });

    it('takes the newest commits, each whole, and no more events than asked for', async () => {
      const counts = [];
      for (const limit of ['8', '7', '4', '3', '1']) {
        const { stdout } = await demo('--git', 'repo', '--events', limit, '--json');
        const { transactions, events } = JSON.parse(stdout);
        counts.push([transactions, events]);
      }
      assert.deepEqual(counts, [
        [4, 8],
        [3, 4],
        [3, 4],
        [2, 3],
        [1, 1],
      ]);
    });

    it('looks at the folder that it is run in when none is named', async () => {
      process.chdir('repo');
      const { stdout } = await runHere(['demo', '--json']);
      process.chdir(folder);
      assert.match(JSON.parse(stdout).history, /^the git history of .*repo: a commit is a transaction/);
    });

    it('is not led astray by what a git hook sets', async () => {
      process.env.GIT_DIR = join(folder, 'nowhere');
      const { code, stdout } = await demo('--git', 'repo', '--json');
      delete process.env.GIT_DIR;
      assert.equal(code, 0);
      assert.equal(JSON.parse(stdout).events, 8);
    });
  });
});

function look({ type, version, recordedAt }: StoredEvent): string {
  return `${type} ${version} ${recordedAt}`;
}

/** Four commits: four files come, one changes, one is renamed, one goes. */
async function makeRepository(): Promise<void> {
  await mkdir('repo');
  const git = (...words: string[]): void => {
    execFileSync(
      'git',
      ['-C', 'repo', '-c', 'user.name=Zoë Tester', '-c', 'user.email=z@example.org', ...words],
      {
        stdio: 'ignore',
      },
    );
  };
  const commit = (day: number, subject: string): void => {
    process.env.GIT_COMMITTER_DATE = `2020-01-0${day}T00:00:00Z`;
    git('add', '-A');
    git('commit', '-q', '-m', subject);
    delete process.env.GIT_COMMITTER_DATE;
  };
  git('init', '-q');
  for (const name of ['README.md', 'a.txt', ':colon', 'new\nline.txt'])
    await writeFile(join('repo', name), name);
  commit(1, 'first: "quotes" & ümlauts');
  await writeFile('repo/README.md', 'changed');
  commit(2, 'second');
  await mkdir('repo/docs');
  await rename('repo/README.md', 'repo/docs/LIES MICH.md');
  commit(3, 'third');
  await rm('repo/new\nline.txt');
  commit(4, 'fourth');
}
