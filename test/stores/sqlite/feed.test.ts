import assert from 'node:assert/strict';
import { copyFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NEW_LOG } from '../../../src/core/change-feed.ts';
import { type BackupError, type ErrorCode, isBackupError } from '../../../src/core/errors.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import {
  eventsOf,
  type Following,
  follow,
  NEVER_MS,
  READ,
  resumption,
} from '../../../src/testing/change-feed/following.ts';
import { numbered } from '../../../src/testing/event-store/fixture.ts';
import { type TemporaryStore, temporaryStore } from './temporary-store.ts';

async function begin(place: TemporaryStore, events = 5): Promise<Following> {
  await place.store.initialise();
  const following = await follow(place.store);
  if (events === 0) return following;
  await place.store.append([{ streamId: 'a', events: numbered(events) }]);
  await following.until(events);
  return following;
}

/** Reads on until the feed fails, for ten seconds at most. */
async function failure(following: Following, code: ErrorCode = 'feed_lost'): Promise<BackupError> {
  const deadline = performance.now() + 10_000;
  try {
    while (performance.now() < deadline) await following.next();
  } catch (error) {
    assert.ok(isBackupError(error, code), String(error));
    return error;
  } finally {
    await following.stop();
  }
  throw new Error('the feed did not notice');
}

function insert(place: TemporaryStore, id: string, version: number, rowid: number | null = null): void {
  const db = place.connect();
  db.prepare(
    `INSERT INTO eventcore_events (rowid, event_id, stream_id, stream_version, event_type, event_data)
     VALUES (?, ?, 'other', ?, 'Tested', '{}')`,
  ).run(rowid, id, version);
  db.close();
}

function execute(place: TemporaryStore, sql: string): void {
  const db = place.connect();
  db.exec(sql);
  db.close();
}

const DELETE_LAST = 'DELETE FROM eventcore_events WHERE rowid = (SELECT max(rowid) FROM eventcore_events)';

test('a feed whose last event was deleted is lost', async (t) => {
  const place = temporaryStore(t);
  const following = await begin(place);
  execute(place, DELETE_LAST);
  const { facts } = await failure(following);
  assert.deepEqual([facts.reason, facts.rowid, facts.foundEventId], ['deleted', '5', null]);
});

test('a rowid that is given again is not taken for the event that was there', async (t) => {
  const place = temporaryStore(t);
  const following = await begin(place);
  execute(place, DELETE_LAST);
  insert(place, 'again', 1);
  insert(place, 'later', 2);
  const { facts } = await failure(following);
  assert.deepEqual([facts.reason, facts.foundEventId], ['deleted', 'again']);
});

test('a log whose last event is no longer in its row is not gone on with', async (t) => {
  const place = temporaryStore(t);
  await place.store.initialise();
  insert(place, 'first', 0);
  const following = await begin(place, 4);
  await following.stop();
  const log = resumption(following.seen, following.feed.source, 6n);
  execute(place, DELETE_LAST);
  await assert.rejects(place.store.openFeed(log), (error) => isBackupError(error, 'feed_lost'));
  insert(place, 'again', 1);
  await assert.rejects(place.store.openFeed(log), /event [0-9a-f-]{36} is gone from row 5/);
  const fresh = await place.store.openFeed({ ...NEW_LOG, source: log.source });
  assert.equal(fresh.source.systemIdentifier, log.source!.systemIdentifier);
  assert.ok(
    fresh.source.timeline > log.source!.timeline,
    'its positions are not mistaken for those of the log before',
  );
});

test('rows that were numbered anew are told from rows that are gone', async (t) => {
  const place = temporaryStore(t);
  const following = await begin(place);
  execute(place, 'UPDATE eventcore_events SET rowid = rowid + 100');
  const { facts, message } = await failure(following);
  assert.deepEqual([facts.reason, facts.movedTo], ['renumbered', '105']);
  assert.match(message, /from row 5 to row 105/);
});

test('VACUUM that leaves the rows where they are disturbs no feed', async (t) => {
  const place = temporaryStore(t);
  await place.store.initialise();
  for (let i = 1; i <= 20; i += 1) insert(place, `before ${i}`, i);
  execute(place, 'DELETE FROM eventcore_events WHERE rowid < 10');
  const following = await follow(place.store);
  await place.store.append([{ streamId: 'a', events: numbered(2) }]);
  await following.until(2);
  execute(place, 'VACUUM');
  await place.store.append([{ streamId: 'a', events: numbered(2) }]);
  await following.until(4);
  await following.stop();
});

test('an event that is deleted from the middle is noticed', async (t) => {
  const place = temporaryStore(t);
  const following = await begin(place);
  await following.next();
  execute(place, 'DELETE FROM eventcore_events WHERE rowid = 3');
  const { facts } = await failure(following);
  assert.deepEqual([facts.reason, facts.expectedRows, facts.foundRows], ['deleted', 5, 4]);
});

test('an event that is written below where the feed stands is noticed', async (t) => {
  const place = temporaryStore(t);
  await place.store.initialise();
  insert(place, 'far', 1, 100);
  const following = await follow(place.store);
  await following.next();
  insert(place, 'below', 2, 50);
  const { message, facts } = await failure(following);
  assert.match(message, /of the rows up to 100 of .* 1 were added/);
  assert.equal(facts.foundRows, 2);
});

test('a feed of a store that was emptied, or restored into, is lost', async (t) => {
  const emptied = temporaryStore(t);
  const first = await begin(emptied);
  await emptied.store.clear();
  assert.equal((await failure(first)).facts.reason, 'deleted');

  const restored = temporaryStore(t);
  const second = await begin(restored);
  const session = await restored.store.openRestore({ attemptId: 'restore', replace: true });
  await session.finishLoad();
  await session.publish();
  await restored.store.append([{ streamId: 'new', events: numbered(9) }]);
  await failure(second);
});

test('a file that another one was put in the place of is opened anew, and told then', async (t) => {
  const place = temporaryStore(t);
  const following = await begin(place);
  const log = resumption(following.seen, following.feed.source, 6n);
  const copy = path.join(place.folder, 'copy.db');
  execute(place, 'PRAGMA wal_checkpoint(TRUNCATE)');
  copyFileSync(place.file, copy);
  renameSync(copy, place.file);
  assert.match((await failure(following, 'store_unreachable')).message, /replaced/);
  const again = await follow(place.store, log);
  await place.store.append([{ streamId: 'a', events: numbered(1) }]);
  await again.until(1);
  await again.stop();
});

test('a log that began on an empty store is gone on with when that has events', async (t) => {
  const place = temporaryStore(t);
  const following = await begin(place);
  await following.stop();
  assert.equal(following.feed.from, 1n);
  const again = await follow(place.store, resumption(following.seen, following.feed.source, 6n));
  await place.store.append([{ streamId: 'a', events: numbered(1) }]);
  await again.until(1);
  await again.stop();
});

for (const mode of ['WAL', 'DELETE']) {
  test(`a lock of another process is waited for without holding this one up, in journal mode ${mode}`, async (t) => {
    const place = temporaryStore(t);
    await place.store.initialise();
    execute(place, `PRAGMA journal_mode = ${mode}`);
    const following = await begin(place);
    const other = place.connect();
    other.exec('BEGIN EXCLUSIVE');
    other.exec(`INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
                VALUES ('locked', 'locked', 1, 'Tested', '{}')`);
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 10);
    const idle = [await following.next(), await following.next(), await following.next()];
    clearInterval(timer);
    assert.ok(turns > 10, `${turns} turns of the event loop`);
    for (const batch of idle) assert.deepEqual(batch?.events, []);
    other.exec('COMMIT');
    other.close();
    await following.until(6);
    assert.equal(eventsOf(following.seen).at(-1)!.id, 'locked');
    await following.stop();
  });
}

test('what is not seen for a lock is not claimed to be known', async (t) => {
  const place = temporaryStore(t);
  await place.store.initialise();
  execute(place, 'PRAGMA journal_mode = DELETE');
  const following = await follow(place.store);
  const other = place.connect();
  other.exec('BEGIN EXCLUSIVE');
  const batches = [await following.next(), await following.next(), await following.next()];
  assert.equal(batches[2]!.asOf, batches[1]!.asOf);
  other.exec('COMMIT');
  await sleep(5);
  assert.ok((await following.next())!.asOf > batches[2]!.asOf);
  await following.stop();
});

test('a reader between two pages of a poll holds no lock, and what comes meanwhile is left to the next poll', async (t) => {
  const place = temporaryStore(t);
  await place.store.initialise();
  execute(place, 'PRAGMA journal_mode = DELETE');
  const following = await follow(place.store, NEW_LOG, { ...READ, batchBytes: 10_000 });
  await place.store.append([{ streamId: 'a', events: numbered(1000) }]);
  const first = await following.next();
  assert.equal(first?.isOpen, true);
  const other = place.connect();
  other.exec('PRAGMA busy_timeout = 0');
  other.exec(`INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
              VALUES ('between', 'between', 1, 'Tested', '{}')`);
  assert.equal(await following.until(1000), 1001n);
  assert.equal(await following.until(1001), 1002n);
  await following.stop();
});

test('rows that are deleted between two pages of a poll lose the feed', async (t) => {
  const place = temporaryStore(t);
  await place.store.initialise();
  const following = await follow(place.store, NEW_LOG, { ...READ, batchBytes: 10_000 });
  await place.store.append([{ streamId: 'a', events: numbered(1000) }]);
  assert.equal((await following.next())?.isOpen, true);
  execute(place, DELETE_LAST);
  insert(place, 'again', 1);
  assert.equal((await failure(following)).facts.rowid, '1000');
  assert.ok(
    following.seen.batches.every(({ isOpen }) => isOpen),
    'nothing may be said to be whole that was not of one view',
  );
});

test('an append of this process is given at once, of another one within the poll', async (t) => {
  const place = temporaryStore(t);
  await place.store.initialise();
  const following = await follow(place.store, NEW_LOG, { ...READ, lingerMs: 0, idleMs: NEVER_MS });
  const lags: number[] = [];
  for (let i = 0; i < 20; i += 1) {
    const next = following.next();
    await sleep(3);
    await place.store.append([{ streamId: 'a', events: numbered(1) }]);
    const appended = performance.now();
    await next;
    lags.push(performance.now() - appended);
  }
  lags.sort((a, b) => a - b);
  assert.ok(lags[10]! < 10, `half of the appends took more than ${lags[10]} ms to show`);
  await following.stop();
});

test('odd events come through a feed as they are', async (t) => {
  const place = temporaryStore(t);
  const following = await begin(place, 0);
  const db = place.connect();
  db.exec(`INSERT INTO eventcore_events VALUES
    ('', '', 9007199254740991, x'ff00', 'no json', x'80', 'no time'),
    ('large', 's', -3, 't', printf('%.*c', 300000, 'x'), '{}', '2026-11-24T00:00:00.000Z'),
    (x'00ff', 's', 4, 't', '1', '2', '1999-12-31T23:59:59.999999Z')`);
  await following.until(3);
  const [empty, large, blob] = eventsOf(following.seen);
  assert.deepEqual([empty!.version, empty!.timeText], [9007199254740991, 'no time']);
  assert.deepEqual(empty!.type, Uint8Array.of(255, 0));
  assert.deepEqual([large!.version, (large!.data as string).length], [-3, 300_000]);
  assert.deepEqual([blob!.id, blob!.time], [Uint8Array.of(0, 255), -1n]);
  const to = following.seen.batches.at(-1)!.to!;
  await following.stop();
  const lastEventId = Buffer.from(blob!.id as Uint8Array).toString();
  const again = await follow(place.store, { resumeAt: to, source: following.feed.source, lastEventId });
  await again.next();
  await again.stop();
});

test('a store that numbers its rows otherwise has no feed', async (t) => {
  const far = temporaryStore(t);
  await far.store.initialise();
  insert(far, 'last', 1, Number.MAX_SAFE_INTEGER);
  execute(far, 'UPDATE eventcore_events SET rowid = 9223372036854775807');
  const refused = (error: unknown): boolean => isBackupError(error, 'store_unsupported');
  await assert.rejects(far.store.openFeed(NEW_LOG), refused);

  const without = temporaryStore(t);
  const db = without.connect();
  db.exec(`CREATE TABLE eventcore_events (event_id TEXT PRIMARY KEY, stream_id TEXT NOT NULL,
    stream_version INTEGER NOT NULL, event_type TEXT NOT NULL, event_data TEXT NOT NULL,
    metadata TEXT NOT NULL, created_at TEXT NOT NULL) WITHOUT ROWID`);
  await assert.rejects(openSqliteStore(without.address).openFeed(NEW_LOG), refused);
});
