import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../../src/core/errors.ts';
import type { CompanionRow, EventStore } from '../../../src/core/event-store.ts';
import { formatTime, parseTime, TIME_MINUS_INFINITY } from '../../../src/core/time.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import { makeBatch, type TestEvent } from '../../../src/testing/batches.ts';
import { rawEvents, readRaw, temporaryStore } from './temporary-store.ts';

interface Options {
  readonly replace?: boolean;
  readonly companions?: readonly CompanionRow[];
  readonly onStep?: (step: string) => void;
}

async function restore(
  store: EventStore,
  events: readonly TestEvent[],
  options: Options = {},
): Promise<void> {
  const session = await store.openRestore({ attemptId: 'attempt', replace: options.replace ?? false });
  try {
    const writer = await session.openWriter();
    await writer.write(makeBatch(events));
    await writer.end();
    for (const row of options.companions ?? []) assert.ok(await session.writeCompanion(row));
    await session.finishLoad(options.onStep);
    await session.publish();
  } finally {
    await session.discard();
  }
}

/** What SQLite says of the shape of every table and index, without how their SQL was written. */
function shapeOf(db: DatabaseSync): unknown {
  const objects = db.prepare('SELECT type, name, tbl_name FROM sqlite_schema ORDER BY type, name').all();
  return objects.map(({ type, name, tbl_name }) => ({
    object: { type, name, tbl_name },
    table: db.prepare('SELECT * FROM pragma_table_list(?)').all(String(name)),
    columns: db.prepare('SELECT * FROM pragma_table_xinfo(?)').all(String(name)),
    indexes: db
      .prepare('SELECT name, "unique", origin, partial FROM pragma_index_list(?) ORDER BY name')
      .all(String(name)),
    indexed: db.prepare('SELECT * FROM pragma_index_xinfo(?)').all(String(name)),
  }));
}

function journalMode(db: DatabaseSync): unknown {
  return db.prepare('PRAGMA journal_mode').get()?.journal_mode;
}

test('a restored database is shaped as one that EventCore made, and in WAL mode', async (t) => {
  const made = temporaryStore(t).migrate();
  const { store, connect, files } = temporaryStore(t);
  await restore(store, [{ streamId: 'a', version: 1 }]);
  assert.deepEqual(files(), ['events.db']);
  const restored = connect();
  assert.deepEqual(shapeOf(restored), shapeOf(made));
  assert.equal(journalMode(restored), 'wal');
  assert.deepEqual(
    restored.prepare('PRAGMA integrity_check').all(),
    [{ integrity_check: 'ok' }].map((row) => ({ __proto__: null, ...row })),
  );
});

test('an initialised database is shaped as one that EventCore made, and in WAL mode', async (t) => {
  const made = temporaryStore(t).migrate();
  const { store, connect } = temporaryStore(t);
  await store.initialise();
  assert.deepEqual(shapeOf(connect()), shapeOf(made));
  assert.equal(journalMode(connect()), 'wal');
});

test('EventCore goes on with a restored database: its migration, its appends, its reads', async (t) => {
  const { store, migrate } = temporaryStore(t);
  await restore(
    store,
    [1, 2, 3].map((version) => ({ streamId: 'a', version, data: `{"n": ${version}}` })),
  );
  const db = migrate();
  const head = db.prepare(
    'SELECT COALESCE(MAX(stream_version), 0) AS head FROM eventcore_events WHERE stream_id = ?1',
  );
  assert.equal(head.get('a')?.head, 3);
  db.prepare(
    `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data, metadata)
     VALUES (?,?,?,?,?,'{}'),(?,?,?,?,?,'{}')`,
  ).run('id-4', 'a', 4, 'Tested', '{"n": 4}', 'id-b', 'b', 1, 'Tested', '{}');
  const data = db
    .prepare('SELECT event_data FROM eventcore_events WHERE stream_id = ?1 ORDER BY stream_version ASC')
    .all('a');
  assert.deepEqual(
    data.map((row) => row.event_data),
    ['{"n": 1}', '{"n": 2}', '{"n": 3}', '{"n": 4}'],
  );
  assert.deepEqual(await store.count(), { events: 5, streams: 2 });
});

test('a store comes back byte for byte, all values of text, in the order of its commits', async (t) => {
  const value = fc.uint8Array({ minLength: 1, maxLength: 30 });
  const row = fc.record({
    id: value,
    streamId: value,
    version: fc.maxSafeInteger(),
    type: value,
    data: value,
    metadata: value,
    time: fc.bigInt({ min: TIME_MINUS_INFINITY, max: -TIME_MINUS_INFINITY - 1n }),
    timeText: fc.option(value),
  });
  const rows = fc.uniqueArray(row, { maxLength: 50, selector: ({ id }) => Buffer.from(id).toString('hex') });
  const property = fc.asyncProperty(rows, async (events) => {
    const { store, connect } = temporaryStore(t);
    await restore(store, events);
    const expected = rawEvents(makeBatch(events, { idKind: 'text' }));
    const read = await readRaw(store);
    assert.deepEqual(
      read.map(({ time: _, timeText: __, ...rest }) => rest),
      expected.map(({ time: _, timeText: __, ...rest }) => rest),
    );
    for (const [i, event] of events.entries()) {
      if (event.timeText !== null)
        assert.equal(read[i]?.timeText, Buffer.from(event.timeText).toString('hex'));
      else assert.equal(read[i]?.time, event.time);
    }
    const db = connect();
    const columns = ['event_id', 'stream_id', 'event_type', 'event_data', 'metadata', 'created_at'];
    const types = columns.map((name) => `typeof(${name})`).join(` || ' ' || `);
    const kinds = db.prepare(
      `SELECT DISTINCT ${types} || ' ' || typeof(stream_version) AS kinds FROM eventcore_events`,
    );
    const texts = 'text '.repeat(columns.length);
    assert.deepEqual(
      kinds.all().map((found) => found.kinds),
      events.length === 0 ? [] : [`${texts}integer`],
    );
    db.close();
  });
  await fc.assert(property, { numRuns: 40 });
});

test('times are written with milliseconds, or with microseconds where there are some', async (t) => {
  const { store, connect } = temporaryStore(t);
  const times = ['2026-11-23T04:05:06.789Z', '2026-11-23T04:05:06.789012Z', '1969-12-31T23:59:59.999999Z'];
  await restore(store, [
    ...times.map((time, i) => ({ streamId: 'a', version: i + 1, time: parseTime(time)! })),
    { streamId: 'a', version: 9, time: 5n, timeText: 'as the source had it' },
  ]);
  const texts = connect().prepare('SELECT created_at FROM eventcore_events ORDER BY rowid').all();
  assert.deepEqual(
    texts.map((row) => row.created_at),
    [...times, 'as the source had it'],
  );
  const read = await store.readStream('a', { limit: 2 });
  assert.deepEqual(
    read.map((event) => event.recordedAt),
    times.slice(0, 2).map((time) => formatTime(parseTime(time)!)),
  );
});

test("indexes and triggers of the target's own are made again, and no trigger fires for restored events", async (t) => {
  const { store, migrate } = temporaryStore(t);
  const db = migrate();
  db.exec(`CREATE INDEX "my own" ON eventcore_events (event_type) WHERE event_type <> 'x';
    CREATE TABLE log (id);
    CREATE TRIGGER watch AFTER INSERT ON eventcore_events BEGIN INSERT INTO log VALUES (new.event_id); END;
    CREATE TRIGGER gone BEFORE DELETE ON eventcore_events BEGIN SELECT raise(ABORT, 'events stay'); END`);
  await store.append([{ streamId: 'a', events: [{ id: 'old', type: 'Tested', data: '{}' }] }]);
  const shape = shapeOf(db);
  const steps: string[] = [];
  await restore(store, [{ id: 'new', streamId: 'b', version: 1 }], {
    replace: true,
    onStep: (step) => steps.push(step),
  });
  assert.deepEqual(shapeOf(db), shape);
  assert.ok(steps.includes('making index my own') && steps.includes('making trigger watch'), String(steps));
  await store.append([{ streamId: 'b', events: [{ id: 'newer', type: 'Tested', data: '{}' }] }]);
  assert.deepEqual(
    db
      .prepare('SELECT id FROM log')
      .all()
      .map((row) => row.id),
    ['old', 'newer'],
  );
  await assert.rejects(store.clear(), /events stay/);
});

test('a restore beside the tables of another program leaves these alone', async (t) => {
  const { store, connect } = temporaryStore(t);
  const db = connect();
  db.exec(`CREATE TABLE notes (text); INSERT INTO notes VALUES ('kept')`);
  await restore(store, [{ streamId: 'a', version: 1 }]);
  assert.equal(db.prepare('SELECT text FROM notes').get()?.text, 'kept');
  assert.equal(
    journalMode(db),
    'delete',
    'the mode of a database that was there is not for a restore to change',
  );
});

test('a discard takes away a file that the attempt made, and only that', async (t) => {
  const { store, file, files } = temporaryStore(t);
  const half = await store.openRestore({ attemptId: 'attempt', replace: false });
  const writer = await half.openWriter();
  await writer.write(makeBatch([{ streamId: 'a', version: 1 }]));
  assert.ok(files().includes('events.db'));
  await half.discard();
  assert.deepEqual(files(), []);

  writeFileSync(file, '');
  const again = await store.openRestore({ attemptId: 'attempt', replace: false });
  await again.discard();
  assert.deepEqual(files(), ['events.db']);
  assert.equal(readFileSync(file).length, 0);
});

test('a discard leaves a file in which another program has found a use meanwhile', async (t) => {
  const { store, connect, files } = temporaryStore(t);
  const session = await store.openRestore({ attemptId: 'attempt', replace: false });
  const other = connect();
  other.exec('BEGIN');
  other.prepare('SELECT count(*) FROM sqlite_schema').get();
  await session.discard();
  assert.deepEqual(files(), ['events.db']);
  other.exec('COMMIT');
});

test('closing the store discards what was not published', async (t) => {
  const { store, address, files } = temporaryStore(t);
  const handle = openSqliteStore(address);
  await handle.openRestore({ attemptId: 'attempt', replace: false });
  await handle.close();
  assert.deepEqual(files(), []);
  assert.equal((await store.inspect()).state, 'missing');
});

test('events and companions of a wrong shape are refused by name, and the writer takes what follows', async (t) => {
  const { store } = temporaryStore(t);
  const session = await store.openRestore({ attemptId: 'attempt', replace: false });
  const good = Array.from({ length: 100 }, (_, i) => ({ id: `id-${i}`, streamId: 'a', version: i }));
  const writer = await session.openWriter();
  await writer.write(makeBatch(good));
  const bad = [...good.slice(0, 0), { id: 'nothing', streamId: 'b', version: 1, metadata: null }];
  await assert.rejects(writer.write(makeBatch(bad)), (error) => {
    return isBackupError(error, 'value_not_storable') && /"nothing" .*lacks a value/.test(error.message);
  });
  const repeated = [
    ...Array.from({ length: 30 }, (_, i) => ({ id: `more-${i}`, streamId: 'c', version: i })),
    good[7]!,
  ];
  await assert.rejects(writer.write(makeBatch(repeated)), (error) => {
    return isBackupError(error, 'value_not_storable') && /"id-7" .*id that another/.test(error.message);
  });
  await session.discard();
  await assert.rejects(writer.write(makeBatch(good)), (error) => isBackupError(error, 'internal'));
});

test('what is out of turn is refused', async (t) => {
  const { store } = temporaryStore(t);
  const session = await store.openRestore({ attemptId: 'attempt', replace: false });
  const writer = await session.openWriter();
  for (const work of [session.openWriter, session.finishLoad, session.publish]) {
    await assert.rejects(work(), (error) => isBackupError(error, 'internal'));
  }
  await writer.end();
  await assert.rejects(writer.end(), (error) => isBackupError(error, 'internal'));
  await session.finishLoad();
  await session.publish();
  for (const work of [session.openWriter, session.publish]) {
    await assert.rejects(work(), (error) => isBackupError(error, 'internal'));
  }
});

test('snapshots go from SQLite to SQLite, and those of another shape have no place', async (t) => {
  const { store } = temporaryStore(t);
  const table = 'eventcore_command_state_snapshots';
  const row = (values: Record<string, string>): CompanionRow => ({ table, role: 'snapshots', values });
  const kept = row({ snapshot_id: 's\0', snapshot_data: '{"a": "\u{FEFF}"}', updated_at: 'then' });
  const session = await store.openRestore({ attemptId: 'attempt', replace: false });
  assert.equal(await session.writeCompanion(kept), true);
  const ofPostgres = {
    snapshot_id: 's',
    state: '{}',
    stream_versions: '{}',
    replay_checkpoints: '[]',
    updated_at: 'then',
  };
  assert.equal(await session.writeCompanion(row(ofPostgres)), false);
  await session.finishLoad();
  await session.publish();
  const snapshot = await store.openSnapshot();
  const rows: CompanionRow[] = [];
  for await (const found of snapshot.readCompanions()) rows.push(found);
  assert.deepEqual(rows, [kept]);
});
