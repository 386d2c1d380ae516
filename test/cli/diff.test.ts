import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { makeFolder, type Ran, runHere, withStoreAt } from '../harness/command.ts';

const STORE = 'sqlite:events.db';

describe('eventcore diff', () => {
  let remove: () => Promise<void>;
  let backupId: string;
  let instant: string;
  const run = (...words: string[]): Promise<Ran> => runHere([...words, '--vault', 'vault', '--store', STORE]);
  const diff = async (...words: string[]) => {
    const ran = await run('diff', ...words, '--json');
    return { ran, document: ran.stdout === '' ? null : JSON.parse(ran.stdout) };
  };
  const append = (streamId: string, count: number) =>
    withStoreAt(STORE, (store) =>
      store.append([
        {
          streamId,
          events: Array.from({ length: count }, (_, i) => ({ type: 'Added', data: `{"n":${i}}` })),
        },
      ]),
    );
  const sql = (statement: string): void => {
    const db = new DatabaseSync('events.db');
    db.exec(statement);
    db.close();
  };
  const archive = async (): Promise<void> => {
    const ran = await run('archive', '--once');
    assert.equal(ran.code, 0, ran.stderr);
  };

  before(async () => {
    const folder = await makeFolder();
    remove = folder.remove;
    process.chdir(folder.path);
    await withStoreAt(STORE, (store) => store.initialise());
    await append('order-1', 5);
    await append('order-2', 5);
    await archive();
    const backup = await run('backup', 'full', '--json');
    backupId = JSON.parse(backup.stdout).backupId;
    await append('order-2', 2);
    await append('order-3', 3);
    await archive();
    await sleep(5);
    instant = new Date().toISOString();
    await sleep(5);
    await append('order-3', 4);
    await archive();
  });
  after(() => {
    process.chdir('/');
    return remove();
  });

  it('ends with 0 where the store only went on, and says by how much', async () => {
    const { ran, document } = await diff();
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    const { equal, diverged, past, liveEvents, totals, omitted, target } = document;
    assert.deepEqual([equal, diverged, past, liveEvents], [false, false, { events: 10, streams: 2 }, 19]);
    assert.deepEqual(totals.unknown, {
      newer: { events: 9, streams: 2 },
      between: { events: 0, streams: 0 },
    });
    assert.deepEqual([document.backupId, omitted, typeof target.time], [backupId, 0, 'string']);
    assert.deepEqual(document.streams[0], {
      ...{ streamId: 'order-2', past: { events: 5, firstVersion: 1, lastVersion: 5 } },
      ...{ missing: null, replaced: null, changed: null, changedFields: {} },
      unknown: { newer: { events: 2, firstVersion: 6, lastVersion: 7 }, between: null },
    });
    const { stdout } = await run('diff', backupId.slice(0, 8));
    assert.match(stdout, /unknown, newer +9 events in 2 streams: .*expected/);
    assert.match(stdout, /The store has all that it had, and 9 events more\.\n$/);
  });

  it('holds the store against an instant: what came after it is newer, nothing else', async () => {
    for (const flags of [
      ['--at', instant],
      ['--lsn', '15'],
    ]) {
      const { ran, document } = await diff(...flags);
      assert.deepEqual([ran.code, ran.stderr], [0, '']);
      assert.deepEqual(document.past, { events: 15, streams: 3 });
      assert.deepEqual(document.totals.unknown.newer, { events: 4, streams: 1 });
    }
    const { stdout } = await run('diff', '--at', instant, '--stream', 'order-3', '--events');
    assert.match(stdout, /because +backup .* is the newest that the target can be reached from/);
    assert.match(stdout, /held then +3 events in 1 stream\n/);
    assert.match(stdout, /\norder-3\n {2}4 {2}unknown, newer\n {6}now {3}[0-9a-f-]{36} {2}Added {2}2/);
  });

  it('takes a backup or an instant, and payloads only with events', async () => {
    for (const words of [
      [backupId, '--at', instant],
      ['--at', instant, '--lsn', '3'],
      ['--payloads'],
      ['--limit', '-1'],
      ['--limit', 'many'],
    ]) {
      const { code } = await run('diff', ...words);
      assert.equal(code, 2, words.join(' '));
    }
    assert.equal((await run('diff', 'ffffffff')).code, 3);
    assert.equal((await run('diff', '--stream', 'order-9')).code, 3);
    assert.equal((await run('diff', '--at', '2020-01-01T00:00:00Z')).code, 3);
    assert.equal((await runHere(['diff', '--vault', 'vault', '--store', 'sqlite:none.db'])).code, 5);
    assert.equal((await runHere(['diff', '--vault', 'none', '--store', STORE])).code, 6);
  });

  it('ends with 4 where events of the backup are gone or otherwise, and lists them', async () => {
    const name = 'a "}],\u202E\u0007 name';
    await append(name, 1);
    await run('backup', 'incremental');
    sql(`DELETE FROM eventcore_events WHERE stream_id LIKE 'a %'`);
    sql(
      `UPDATE eventcore_events SET event_data = '{"n":9}' WHERE stream_id = 'order-1' AND stream_version = 2`,
    );
    const { ran, document } = await diff('--events', '--payloads');
    assert.deepEqual([ran.code, ran.stderr, document.diverged], [4, '', true]);
    const [gone, changed] = document.streams;
    assert.deepEqual([gone.streamId, gone.missing.events], [name, 1]);
    assert.deepEqual([changed.streamId, changed.changedFields], ['order-1', { data: 1 }]);
    const { pastExcerpt, liveExcerpt, firstDifference } = changed.events[0].data;
    assert.deepEqual([pastExcerpt, liveExcerpt, firstDifference], ['{"n":1}', '{"n":9}', 5]);
    const shown = await run('diff', '--events');
    assert.equal(shown.code, 4);
    assert.match(shown.stdout, /a "\}\],\\u\{202e\}\\u\{7\} name +missing +1 +1\n/);
    assert.match(shown.stdout, /data differ, from byte 5 on: 7 B then, 7 B now/);
    assert.doesNotMatch(shown.stdout, /"n"/);
    assert.match(shown.stdout, /The store is not what it was\.\n$/);
    const few = await diff('--limit', '1');
    assert.deepEqual([few.document.streams.length, few.document.omitted], [1, 1]);
    const quiet = await run('diff', '--quiet');
    assert.deepEqual([quiet.code, quiet.stdout], [4, '']);
    assert.match(
      quiet.stderr,
      /^error: 2 events of what there was are missing or different in sqlite:events\.db\n/,
    );
  });

  it('opens a sealed backup with its key, and without one ends with 8', async () => {
    const identity = await generateX25519Identity();
    writeFileSync('owner.txt', identity, { mode: 0o600 });
    const sealed = (...words: string[]) => runHere([...words, '--vault', 'sealed', '--store', STORE]);
    const taken = await sealed('backup', 'full', '--recipient', await identityToRecipient(identity));
    assert.equal(taken.code, 0, taken.stderr);
    assert.equal((await sealed('diff')).code, 8);
    const opened = await sealed('diff', '--identity', 'owner.txt');
    assert.deepEqual([opened.code, opened.stderr], [0, '']);
    assert.match(opened.stdout, /The store is what it was\.\n$/);
  });
});
