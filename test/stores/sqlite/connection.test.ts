import assert from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { type ErrorCode, isBackupError } from '../../../src/core/errors.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import { parseSqliteAddress } from '../../../src/stores/sqlite/config.ts';
import { connect } from '../../../src/stores/sqlite/connection.ts';
import { storeError } from '../../../src/stores/sqlite/errors.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import { temporaryStore } from './temporary-store.ts';

const APPEND = [{ streamId: 'a', events: [{ type: 'Tested', data: '{}' }] }];

async function refuses(work: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isBackupError(error, code), String(error));
    assert.match(error.message, message);
    assert.ok(error.hint !== null, 'there is no hint');
    return true;
  });
}

/** What commands do with a store. */
const ATTEMPTS: readonly ((store: EventStore) => Promise<unknown>)[] = [
  (store) => store.inspect(),
  (store) => store.openSnapshot(),
  (store) => store.append(APPEND),
  (store) => store.initialise(),
  (store) => store.openRestore({ attemptId: 'attempt', replace: false }),
];

test('without a file nothing is made by looking, reading, appending or clearing', async (t) => {
  const { store, files } = temporaryStore(t);
  assert.equal((await store.inspect()).state, 'missing');
  for (const attempt of [store.count, () => store.append(APPEND), store.clear, store.openSnapshot]) {
    await refuses(attempt(), 'not_an_event_store', /events\.db does not exist/);
  }
  assert.deepEqual(files(), []);
});

test('a database of another program is missing as an event store, and is not changed by looking', async (t) => {
  const { store, connect, file } = temporaryStore(t);
  const db = connect();
  db.exec('CREATE TABLE notes (text)');
  db.close();
  const before = readFileSync(file);
  assert.equal((await store.inspect()).state, 'missing');
  await refuses(store.count(), 'not_an_event_store', /has no table eventcore_events/);
  assert.ok(before.equals(readFileSync(file)));
});

test('an empty file is an empty database', async (t) => {
  const { store, file } = temporaryStore(t);
  writeFileSync(file, '');
  assert.equal((await store.inspect()).state, 'missing');
  await store.initialise();
  assert.equal((await store.inspect()).state, 'empty');
});

test('a folder is refused', async (t) => {
  const { store, file } = temporaryStore(t);
  mkdirSync(file);
  for (const attempt of ATTEMPTS) await refuses(attempt(store), 'store_refused', /is a folder/);
});

test('a missing folder is named when a file is to be made in it', async (t) => {
  const { folder } = temporaryStore(t);
  const store = openSqliteStore(`sqlite:${folder}/no/such/events.db`);
  assert.equal((await store.inspect()).state, 'missing');
  await refuses(store.initialise(), 'store_refused', /folder of .* does not exist/);
  await refuses(store.openRestore({ attemptId: 'a', replace: false }), 'store_refused', /does not exist/);
});

test('a path through a file is refused', async (t) => {
  const { file } = temporaryStore(t);
  writeFileSync(file, '');
  const store = openSqliteStore(`sqlite:${path.join(file, 'events.db')}`);
  assert.equal((await store.inspect()).state, 'missing');
  await refuses(store.initialise(), 'store_refused', /as if it were a folder/);
});

test('a file that is no database, or an encrypted one, is refused and not changed', async (t) => {
  const { store, file } = temporaryStore(t);
  for (const bytes of [
    Buffer.from('{"events":[]}'.repeat(50)),
    crypto.getRandomValues(new Uint8Array(8192)),
  ]) {
    writeFileSync(file, bytes);
    for (const attempt of ATTEMPTS) {
      await refuses(attempt(store), 'store_refused', /not a database or is encrypted/);
    }
    assert.ok(readFileSync(file).equals(bytes));
  }
});

test('a damaged database is said to be damaged', async (t) => {
  const { store, migrate, file } = temporaryStore(t);
  const db = migrate();
  const insert =
    db.prepare(`INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
    VALUES (?, 'a', ?, 'Tested', ?)`);
  for (let i = 0; i < 200; i += 1) insert.run(`id-${i}`, i, 'x'.repeat(500));
  db.close();
  truncateSync(file, 40_960);
  await refuses(store.sampleEvents(200), 'damaged', /is damaged/);
});

test('what another process has locked is refused with the way out', async (t) => {
  const { store, migrate } = temporaryStore(t);
  const db = migrate();
  db.exec('BEGIN IMMEDIATE');
  await refuses(store.append(APPEND), 'store_refused', /is locked by another process/);
  await refuses(store.openRestore({ attemptId: 'a', replace: false }), 'store_refused', /is locked/);
  assert.equal((await store.inspect()).state, 'empty');
  db.exec('ROLLBACK');
  await store.append(APPEND);
});

test('a connection for reading can change nothing', async (t) => {
  const { store, address } = temporaryStore(t);
  await store.initialise();
  const db = connect(parseSqliteAddress(address), 'read');
  for (const sql of ['DELETE FROM eventcore_events', 'CREATE TABLE x (y)', 'PRAGMA user_version = 7']) {
    assert.throws(() => db.exec(sql), /readonly/);
  }
  db.close();
});

test('names that mean something in a URI are only names', async (t) => {
  const { store, files } = temporaryStore(t, 'a b%41#c&mode=ro;é.db');
  await store.initialise();
  await store.append(APPEND);
  assert.equal((await store.count()).events, 1);
  assert.deepEqual(files(), ['a b%41#c&mode=ro;é.db']);
});

/** Real errors of SQLite, each provoked. */
const PROVOKED: readonly (readonly [string, ErrorCode, (file: string) => void])[] = [
  [
    'a full disk',
    'store_refused',
    (file) => {
      const db = new DatabaseSync(file);
      db.exec('PRAGMA max_page_count = 3; CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(50000))');
    },
  ],
  [
    'a file that cannot be written',
    'store_refused',
    (file) => {
      new DatabaseSync(file).exec('CREATE TABLE t (x)');
      new DatabaseSync(file, { readOnly: true }).exec('INSERT INTO t VALUES (1)');
    },
  ],
  ['a file that cannot be opened', 'store_refused', (file) => new DatabaseSync(`${file}/x/y.db`)],
  [
    'a fault of the disk',
    'store_unreachable',
    (file) => new DatabaseSync(path.dirname(file), { readOnly: true }),
  ],
  [
    'a damaged page',
    'damaged',
    (file) => {
      const db = new DatabaseSync(file);
      db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
      db.close();
      const handle = openSync(file, 'r+');
      writeSync(handle, Buffer.alloc(100, 0xff), 0, 100, 4096);
      closeSync(handle);
      new DatabaseSync(file).prepare('SELECT * FROM t').all();
    },
  ],
  [
    'a value that is too large',
    'store_unsupported',
    (file) => new DatabaseSync(file).exec('SELECT zeroblob(2000000000)'),
  ],
  ['what only a bug can cause', 'internal', (file) => new DatabaseSync(file).exec('no SQL')],
];

for (const [what, code, provoke] of PROVOKED) {
  test(`${what} becomes ${code}, with the address and SQLite's own words`, (t) => {
    const { file, address } = temporaryStore(t);
    try {
      provoke(file);
    } catch (error) {
      const mapped = storeError(address, error);
      assert.ok(isBackupError(mapped, code), String(mapped));
      assert.ok(mapped.message.includes(address));
      assert.equal(mapped.cause, error);
      return;
    }
    assert.fail('SQLite took it');
  });
}

test('what does not come from SQLite is passed on as it is', () => {
  const error = new TypeError('a bug');
  assert.equal(storeError('sqlite:x', error), error);
});
