import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore, StoreCursor } from '../../src/core/event-store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental } from '../harness/chain.ts';
import { backUp, verifyAll } from '../harness/memory-backup.ts';
import { temporaryStore } from '../stores/sqlite/temporary-store.ts';
import { added, append, consume, exactRows, makeEmmett, readVersion } from './emmett-sqlite.ts';
import { restoreNewest } from './restore-newest.ts';

const TABLES = ['emt_messages', 'emt_streams', 'emt_processors', 'emt_projections'];

describe('a store of Emmett on SQLite', () => {
  it('comes back as it was, and goes on: all is delivered, once, to a new consumer and to one that was half through', async (t) => {
    const { store, db } = openEmmett(t);
    for (let i = 0; i < 20; i += 1) append(db, `cart-${i % 4}`, [added(i), added(100 + i)]);
    const half = consume(db, 'resumed', 15);
    const vault = memoryVault();
    await backUp(store, vault);
    for (let i = 0; i < 12; i += 1) append(db, `order-${i % 5}`, [added(i)]);
    await addIncremental(store, vault);
    assert.ok((await verifyAll(vault)).every(({ overallValid }) => overallValid));

    const target = openEmmett(t);
    await restoreNewest(vault, target.store);
    for (const table of TABLES) assert.deepEqual(exactRows(target.db, table), exactRows(db, table), table);
    const fresh = consume(target.db, 'fresh');
    assert.equal(fresh.length, 52);
    assert.deepEqual([...half, ...consume(target.db, 'resumed')], fresh);
    assert.equal(append(target.db, 'cart-1', [added(1)], 10), 11);
    assert.deepEqual(consume(target.db, 'fresh'), ['cart-1@11']);
  });

  it('has gaps of its own, which are no damage; a head that a conflict moved is put right', async (t) => {
    const { store, db } = openEmmett(t);
    append(db, 'cart', [added(1), added(2)]);
    assert.equal(append(db, 'cart', [added(3), added(3), added(3)], 9), null);
    assert.equal(append(db, 'cart', [added(4)]), 6);
    assert.equal(append(db, 'cart', [added(5)], 2), null);
    assert.equal(append(db, 'cart', [added(5)], readVersion(db, 'cart')), null, 'refused for ever');
    append(db, 'low', [added(1), added(2)]);
    db.exec(`UPDATE emt_streams SET stream_position = 1 WHERE stream_id = 'low'`);
    append(db, 'headless', [added(1), added(2)]);
    db.exec(`DELETE FROM emt_streams WHERE stream_id = 'headless'`);
    const vault = memoryVault();
    const { manifest } = await backUp(store, vault);
    assert.equal(manifest.oddities.missingVersions, 3);
    assert.ok((await verifyAll(vault)).every(({ overallValid }) => overallValid));

    const target = openEmmett(t);
    await restoreNewest(vault, target.store);
    assert.deepEqual(exactRows(target.db, 'emt_messages'), exactRows(db, 'emt_messages'));
    assert.equal(readVersion(target.db, 'cart'), 6);
    assert.equal(append(target.db, 'cart', [added(5)], 6), 7);
    for (const stream of ['low', 'headless']) assert.equal(append(target.db, stream, [added(3)], 2), 3);
  });

  it('keeps every value of every column, with its storage class and in all its digits', async (t) => {
    const { store, db } = openEmmett(t);
    makeOdd(db);
    append(db, 'usual', [added(1), added(2)]);
    for (const [i, [column, value]] of ODD_VALUES.entries()) {
      append(db, `odd-${i}`, [added(i)]);
      db.exec(`UPDATE emt_messages SET "${column}" = ${value} WHERE stream_id = 'odd-${i}'`);
    }
    for (const stream of ['twin-1', 'twin-2'])
      append(db, stream, [{ ...added(1), metadata: { messageId: 'the same' } }]);
    const vault = memoryVault();
    await backUp(store, vault);
    assert.ok((await verifyAll(vault)).every(({ overallValid }) => overallValid));

    const target = openEmmett(t);
    makeOdd(target.db);
    await restoreNewest(vault, target.store);
    assert.deepEqual(exactRows(target.db, 'emt_messages'), exactRows(db, 'emt_messages'));
  });

  it('tells streams of one name in partitions and in the archive apart', async (t) => {
    const { store, db } = openEmmett(t);
    for (const stream of ['cart', 'cart', 'a/b', 'a/b']) append(db, stream, [added(1)]);
    db.exec(`INSERT INTO emt_messages SELECT stream_id, stream_position, 'tenant', 'C', message_data, message_metadata,
      message_schema_version, message_type, 'of a tenant', 0, NULL, created FROM emt_messages WHERE stream_id = 'a/b'`);
    db.exec(`INSERT INTO emt_messages SELECT stream_id, stream_position, partition, 'E', message_data, message_metadata,
      message_schema_version, message_type, 'archived', 1, NULL, created FROM emt_messages WHERE stream_id = 'cart'`);
    const streams = ['cart', 'emt:default%archived/cart', 'emt:default/a/b', 'tenant/a/b'];
    for (const stream of streams) {
      const events = await store.readStream(stream);
      assert.deepEqual(
        events.map(({ version }) => version),
        [1n, 2n],
        stream,
      );
      assert.equal((await store.findStream(stream))?.events, 2);
    }
    assert.equal((await store.count()).streams, 4);
    assert.equal(await store.findStream('tenant/cart'), null);
    const vault = memoryVault();
    await backUp(store, vault);
    const target = openEmmett(t);
    await restoreNewest(vault, target.store);
    assert.deepEqual(exactRows(target.db, 'emt_messages'), exactRows(db, 'emt_messages'));
  });

  it('has its consumers go on behind what there is, and no streams of which there is nothing', async (t) => {
    const { store, db } = openEmmett(t);
    append(db, 'kept', [added(1), added(2)]);
    append(db, 'lost', [added(3)]);
    consume(db, 'ahead');
    // As a copy of an earlier state has it, with tables of a later one.
    db.exec(`DELETE FROM emt_messages WHERE stream_id = 'lost'`);
    const vault = memoryVault();
    await backUp(store, vault);
    const target = openEmmett(t);
    await restoreNewest(vault, target.store);
    assert.equal(append(target.db, 'lost', [added(4)], 0), 1);
    assert.deepEqual(consume(target.db, 'ahead'), ['lost@1']);
  });

  it('of 0.41 is restored into one of 0.41 or 0.42, and the subscriptions go on', async (t) => {
    const { store, db } = openEmmett(t, '0.41');
    append(db, 'cart', [added(1), added(2), added(3)]);
    db.exec(`INSERT INTO emt_subscriptions VALUES ('mailer', 1, 'emt:default', 2)`);
    const vault = memoryVault();
    await backUp(store, vault);
    const same = openEmmett(t, '0.41');
    await restoreNewest(vault, same.store);
    assert.deepEqual(exactRows(same.db, 'emt_subscriptions'), exactRows(db, 'emt_subscriptions'));
    const newer = openEmmett(t);
    await restoreNewest(vault, newer.store);
    assert.deepEqual(consume(newer.db, 'mailer'), ['cart@3']);
  });

  it('is read by incremental backups from the last row on, while no row takes the number of one that is gone', async (t) => {
    const { store, db } = openEmmett(t);
    append(db, 'a', [added(1), added(2)]);
    append(db, 'b', [added(3)]);
    const vault = memoryVault();
    await backUp(store, vault);
    const cursor = await cursorOf(store);
    append(db, 'c', [added(4), added(5)]);
    assert.deepEqual(await plan(store, cursor), [{ index: 0, spec: '3..' }]);
    await addIncremental(store, vault);
    const target = openEmmett(t);
    await restoreNewest(vault, target.store);
    assert.deepEqual(exactRows(target.db, 'emt_messages'), exactRows(db, 'emt_messages'));

    db.exec(
      `DELETE FROM emt_messages WHERE global_position >= 3; DELETE FROM emt_streams WHERE stream_id = 'b'`,
    );
    append(db, 'd', [added(6), added(7), added(8)]);
    assert.match(String(await plan(store, cursor)), /no longer where it was/);
    await assert.rejects(addIncremental(store, vault), /differs/);
  });

  it('takes the events of EventCore, in the order of their ids', async (t) => {
    const { store } = temporaryStore(t);
    await store.initialise();
    const metadata = ['{"a":1}', '{ "a": 1.0 }', '[1, 2]', '{}'];
    for (const [i, text] of metadata.entries())
      await store.append([
        { streamId: `cart-${i % 2}`, events: [{ type: 'T', data: `{"i":${i}}`, metadata: text }] },
      ]);
    const vault = memoryVault();
    await backUp(store, vault);
    const target = openEmmett(t);
    await restoreNewest(vault, target.store);
    const rows = target.db.prepare('SELECT * FROM emt_messages ORDER BY global_position').all();
    assert.deepEqual(
      rows.map((row) => [row.stream_id, row.stream_position, row.message_data, row.message_metadata]),
      metadata.map((text, i) => [`cart-${i % 2}`, Math.floor(i / 2) + 1, `{"i":${i}}`, text]),
    );
    assert.equal(append(target.db, 'cart-1', [added(1)], 2), 3);
    assert.equal(consume(target.db, 'fresh').length, 5);
  });

  it('keeps the triggers of an application, and does not set them off', async (t) => {
    const { store, db } = openEmmett(t);
    append(db, 'cart', [added(1)]);
    const vault = memoryVault();
    await backUp(store, vault);
    const target = openEmmett(t);
    target.db.exec(
      `CREATE TABLE told (n); CREATE TRIGGER tells AFTER INSERT ON emt_messages BEGIN INSERT INTO told VALUES (1); END`,
    );
    await restoreNewest(vault, target.store);
    assert.deepEqual(exactRows(target.db, 'told'), []);
    append(target.db, 'cart', [added(2)]);
    assert.equal(exactRows(target.db, 'told').length, 1);
  });

  it('is refused what belongs to its own tools, and made by them', async (t) => {
    const { store, address, db } = openEmmett(t);
    append(db, 'cart', [added(1)]);
    assert.equal((await store.inspect()).layout, 'emmett');
    assert.equal(await store.feedState(), null);
    const refused: readonly ((store: EventStore) => Promise<unknown>)[] = [
      (one) => one.initialise(),
      (one) => one.append([{ streamId: 'cart', events: [{ type: 'T', data: '{}' }] }]),
      (one) => one.clear(),
      (one) => one.openMerge({ dryRun: true }),
      (one) => one.openRepair({ repairId: 'r' }),
      (one) => one.openFeed({ resumeAt: null, source: null, lastEventId: null }),
    ];
    for (const work of refused)
      await assert.rejects(work(store), (error) => isBackupError(error, 'store_unsupported'));
    const place = temporaryStore(t, 'none.db');
    const named = openSqliteStore(`${place.address}?layout=emmett`);
    await assert.rejects(named.openRestore({ attemptId: 'a', replace: false }), (error) =>
      isBackupError(error, 'not_an_event_store'),
    );
    assert.deepEqual(place.files(), []);
    await assert.rejects(openSqliteStore(`${address}?layout=eventcore`).count(), (error) =>
      isBackupError(error, 'not_an_event_store'),
    );
  });
});

it('a restore that is killed, wherever it is, leaves a store of others as it was', async (t) => {
  const script = path.join(import.meta.dirname, 'emmett-sqlite-restore.ts');
  const source = openEmmett(t);
  for (let i = 0; i < 40; i += 1) append(source.db, `cart-${i % 7}`, [added(i), added(i)]);
  for (const moment of ['opened', 'wrote', 'finished']) {
    const target = openEmmett(t);
    append(target.db, 'before', [added(1)]);
    consume(target.db, 'reader');
    const before = TABLES.map((table) => exactRows(target.db, table));
    const child = spawn(process.execPath, [script, source.address, target.address], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    let isReached = false;
    for await (const line of createInterface({ input: child.stdout })) {
      if (line !== moment) continue;
      isReached = true;
      child.kill('SIGKILL');
      break;
    }
    await exited;
    assert.ok(isReached, moment);
    assert.deepEqual(
      TABLES.map((table) => exactRows(target.db, table)),
      before,
      moment,
    );
    assert.equal(append(target.db, 'before', [added(2)], 1), 2);
  }
});

describe('a table of others that cannot be read or restored exactly is refused', () => {
  const refusals: readonly (readonly [string, string, RegExp])[] = [
    [
      'without rowids',
      'CREATE TABLE t (global_position INTEGER PRIMARY KEY, COLUMNS) WITHOUT ROWID',
      /no rowids/,
    ],
    [
      'with columns that hide the rowid',
      'CREATE TABLE t (global_position INTEGER, rowid, oid, _rowid_, COLUMNS)',
      /cannot be told apart/,
    ],
    [
      'with a name no path has',
      'CREATE TABLE t (global_position INTEGER PRIMARY KEY, "a""b", COLUMNS)',
      /has a column/,
    ],
  ];
  const COLUMNS = `stream_id TEXT, stream_position BIGINT, partition TEXT, message_kind TEXT, message_data JSONB,
    message_metadata JSONB, message_schema_version TEXT, message_type TEXT, message_id TEXT, is_archived BOOLEAN, created DATETIME`;
  for (const [what, create, message] of refusals) {
    it(what, async (t) => {
      const { store, connect } = temporaryStore(t);
      connect().exec(create.replace('TABLE t', 'TABLE emt_messages').replace('COLUMNS', COLUMNS));
      await assert.rejects(store.openSnapshot(), (error) => {
        return isBackupError(error, 'store_unsupported') && message.test(error.message);
      });
    });
  }

  it('with a value that would come back as another in a table beside the events', async (t) => {
    const { store, db } = openEmmett(t);
    append(db, 'cart', [added(1)]);
    db.exec(`UPDATE emt_streams SET stream_metadata = x'5b5d'`);
    await assert.rejects(
      backUp(store, memoryVault()),
      (error) =>
        isBackupError(error, 'store_unsupported') && /emt_streams.stream_metadata/.test(error.message),
    );
  });

  it('without a column that the backup has values for, before anything is written', async (t) => {
    const { store, db } = openEmmett(t);
    makeOdd(db);
    append(db, 'cart', [added(1)]);
    const vault = memoryVault();
    await backUp(store, vault);
    const target = openEmmett(t);
    await assert.rejects(
      restoreNewest(vault, target.store),
      (error) => isBackupError(error, 'value_not_storable') && /tag/.test(error.message),
    );
    // One that says nothing of its columns is refused before it is published.
    const session = await target.store.openRestore({ attemptId: 'a', replace: false });
    const snapshot = await store.openSnapshot();
    const writer = await session.openWriter();
    for (const range of await snapshot.planRanges(1))
      for await (const batch of snapshot.readRange(range, { batchBytes: 65_536 })) await writer.write(batch);
    await writer.end();
    await assert.rejects(session.finishLoad(), (error) => isBackupError(error, 'value_not_storable'));
    await session.discard();
    await snapshot.close();
    assert.equal((await target.store.inspect()).state, 'empty');
  });

  it('but columns that came later get what the table gives them', async (t) => {
    const { store, db } = openEmmett(t);
    append(db, 'cart', [added(1)]);
    const vault = memoryVault();
    await backUp(store, vault);
    const target = openEmmett(t);
    makeOdd(target.db);
    await restoreNewest(vault, target.store);
    assert.equal(target.db.prepare('SELECT flag FROM emt_messages').get()?.flag, 1);
  });
});

async function cursorOf(store: EventStore): Promise<StoreCursor> {
  const snapshot = await store.openSnapshot();
  await snapshot.close();
  return snapshot.cursor!;
}

async function plan(store: EventStore, since: StoreCursor): Promise<unknown> {
  const snapshot = await store.openSnapshot();
  try {
    return await snapshot.planChanges(since, 1);
  } finally {
    await snapshot.close();
  }
}

/** Columns that an application has added. */
function makeOdd(db: ReturnType<typeof openEmmett>['db']): void {
  for (const column of [
    'tag TEXT',
    'price REAL',
    'note',
    'raw BLOB',
    'flag INTEGER DEFAULT 1',
    '"it\'s" TEXT',
  ])
    db.exec(`ALTER TABLE emt_messages ADD COLUMN ${column}`);
}

const ODD_VALUES: readonly (readonly [column: string, sql: string])[] = [
  ...['5', '0.30000000000000004', '1e300', `x'00ff'`, `jsonb('{"a":1}')`, `'no JSON'`, `''`, `'null'`].map(
    (value) => ['message_data', value] as const,
  ),
  ...[
    ...['5', '0.1', `x'7b7d'`, `'null'`, `'no JSON'`, `''`, `'{"a": 1}'`, `'{"a":1,"a":2}'`, `'1,2'`],
    `'{"a":"\\u00e9\\/","b":-0.0,"c":1E5,"d":"' || char(127) || '"}'`,
    `'{"metadata":{"columns":{"created":5}}}'`,
  ].map((value) => ['message_metadata', value] as const),
  ...[`''`, `'no uuid'`, `'A0000000-0000-4000-8000-00000000000A'`, `x'41'`].map(
    (value) => ['message_id', value] as const,
  ),
  ...[
    'NULL',
    '1700000000',
    '1.5',
    `'2026-01-02T03:04:05.678Z'`,
    `'2026-13-01 00:00:00'`,
    `'soon'`,
    `x'00'`,
  ].map((value) => ['created', value] as const),
  ...[`''`, `'a' || char(0) || 'b'`, `'"quoted"\\'`, `CAST(x'ff41' AS TEXT)`, `x'ff41'`, `x''`].map(
    (value) => ['tag', value] as const,
  ),
  ...[
    '1',
    '0.1',
    '0.30000000000000004',
    '1e-320',
    '1.7976931348623157e308',
    '9e999',
    '-9e999',
    `'cheap'`,
  ].map((value) => ['price', value] as const),
  ...['5', '5.0', '0.1', '9e999', `'5'`, `x'05'`, '9223372036854775807'].map(
    (value) => ['note', value] as const,
  ),
  ...[`x'00ff'`, `'text'`, '7'].map((value) => ['raw', value] as const),
  ...['NULL', '-9223372036854775808', `'yes'`, '0.5', '9e999'].map((value) => ['flag', value] as const),
  ...[`'it'`].map((value) => ["it's", value] as const),
  ...[`'C'`].map((value) => ['message_kind', value] as const),
  ...['2'].map((value) => ['is_archived', value] as const),
];

/** A store that Emmett made, with a connection of its application. */
function openEmmett(t: TestContext, version?: '0.41' | '0.42') {
  const place = temporaryStore(t);
  const db = place.connect();
  makeEmmett(db, version);
  return { ...place, db };
}
