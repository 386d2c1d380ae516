import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../../src/core/errors.ts';
import { parseTime, TIME_MINUS_INFINITY } from '../../../src/core/time.ts';
import { readRaw, temporaryStore, toHex } from './temporary-store.ts';

const TIME = '2026-11-23T04:05:06.789Z';

interface Row {
  readonly id?: SQLInputValue;
  readonly stream?: SQLInputValue;
  readonly version?: SQLInputValue;
  readonly data?: SQLInputValue;
  readonly metadata?: SQLInputValue;
  readonly time?: SQLInputValue;
}

/** Inserts rows as another program might have; `asText` casts bytes to TEXT, whatever they are. */
function insert(db: DatabaseSync, rows: readonly Row[], asText = false): void {
  const value = asText ? 'CAST(? AS TEXT)' : '?';
  const statement = db.prepare(
    `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data, metadata, created_at)
     VALUES (${value}, ${value}, ?, 'Tested', ${value}, ${value}, ${value})`,
  );
  db.exec('BEGIN');
  for (const [i, row] of rows.entries()) {
    const { id = `id-${i}`, stream = 'a', version = i + 1, data = '{}', metadata = '{}', time = TIME } = row;
    statement.run(id, stream, version, data, metadata, time);
  }
  db.exec('COMMIT');
}

const BYTES = [
  [],
  [0],
  [0x61, 0, 0x62],
  [0xff, 0xfe, 0xc3],
  [0xef, 0xbb, 0xbf, 0x7b],
  [0x2c, 0x2c],
  [0xed, 0xa0, 0x80],
];

test('texts with NULs, with bytes that are no UTF-8 and of no length are read byte for byte', async (t) => {
  const { store, migrate } = temporaryStore(t);
  const values = BYTES.map((bytes) => Uint8Array.from(bytes));
  insert(
    migrate(),
    values.map((value, i) => ({ id: value, stream: value, version: i, data: value, metadata: value })),
    true,
  );
  const events = await readRaw(store);
  assert.equal(events.length, BYTES.length);
  for (const [i, event] of events.entries()) {
    const hex = Buffer.from(BYTES[i]!).toString('hex');
    assert.deepEqual([event.id, event.stream, event.version], [hex, hex, i]);
    assert.deepEqual([event.data, event.metadata], [hex, hex]);
  }
});

test('BLOBs in text columns are read as their bytes', async (t) => {
  const { store, migrate } = temporaryStore(t);
  const blob = Uint8Array.from([0, 0xff, 0x2c, 0]);
  insert(migrate(), [{ id: blob, stream: blob, data: blob, metadata: new Uint8Array(0) }]);
  const [event] = await readRaw(store);
  assert.deepEqual(
    [event?.id, event?.stream, event?.data, event?.metadata],
    ['00ff2c00', '00ff2c00', '00ff2c00', ''],
  );
});

const UNTYPED = `CREATE TABLE eventcore_events (event_id, stream_id, stream_version INTEGER, event_type, event_data, metadata,
  created_at)`;

test('numbers and NULL in columns without a type are read as SQLite writes them', async (t) => {
  const { store, connect } = temporaryStore(t);
  const db = connect();
  db.exec(UNTYPED);
  insert(db, [
    { id: 7n, stream: -1n, data: 1.5, metadata: null },
    { id: 'x', data: null, metadata: 0 },
  ]);
  const [first, second] = await readRaw(store);
  assert.deepEqual(
    [first?.id, first?.stream, first?.data, first?.metadata],
    [toHex('7'), toHex('-1'), toHex('1.5'), null],
  );
  assert.deepEqual([second?.data, second?.metadata], [null, toHex('0.0')]);
});

/** About where numbers change their form on the way out of SQLite. */
const EDGE_VERSIONS = [
  0x7f,
  0x80,
  0x7ff,
  0x800,
  0xcfff,
  0xd000,
  0xd800,
  0xfffd,
  0xd000 ** 2 - 1,
  0xd000 ** 2,
];

test('whatever SQLite can hold comes back as the same bytes, in any window', async (t) => {
  const { store, connect } = temporaryStore(t);
  const db = connect();
  db.exec(UNTYPED);
  const bytes = fc.uint8Array({ maxLength: 40 });
  // About where an event becomes too large to be read together with others.
  const large = fc
    .tuple(fc.integer({ min: 32_600, max: 32_800 }), fc.nat({ max: 255 }))
    .map(([length, byte]) => new Uint8Array(length).fill(byte));
  const value = fc.oneof(bytes, fc.constant(null), fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }));
  const row = fc.record({
    id: bytes,
    stream: bytes,
    version: fc.oneof(fc.nat(), fc.maxSafeInteger(), fc.constantFrom(...EDGE_VERSIONS)).map(BigInt),
    data: fc.oneof({ weight: 20, arbitrary: value }, { weight: 1, arbitrary: large }),
    metadata: value,
    time: bytes,
  });
  const rows = fc.array(row, { maxLength: 60 });
  const property = fc.asyncProperty(
    rows,
    fc.boolean(),
    fc.integer({ min: 1, max: 2000 }),
    async (all, asText, size) => {
      db.exec('DELETE FROM eventcore_events');
      insert(db, all, asText);
      const hex = (of: Uint8Array | bigint | null): string | null =>
        of === null ? null : Buffer.from(of instanceof Uint8Array ? of : String(of)).toString('hex');
      const expected = all.map((one) => [one.id, one.stream, one.data, one.metadata].map(hex));
      const events = await readRaw(store, size);
      assert.deepEqual(
        events.map((event) => [event.id, event.stream, event.data, event.metadata]),
        expected,
      );
      assert.deepEqual(
        events.map((event) => [event.version, event.timeText]),
        all.map((one) => [Number(one.version), hex(one.time)]),
      );
    },
  );
  await fc.assert(property, { numRuns: 80 });
});

test('rows are read in the order of their rowids, which may be negative, huge and used again', async (t) => {
  const { store, migrate } = temporaryStore(t);
  const db = migrate();
  insert(
    db,
    Array.from({ length: 2000 }, () => ({})),
  );
  db.exec('DELETE FROM eventcore_events WHERE rowid % 3 = 0 OR rowid BETWEEN 500 AND 1500 OR rowid > 1990');
  insert(
    db,
    Array.from({ length: 5 }, (_, i) => ({ id: `again-${i}`, version: 5000 + i })),
  );
  const odd = db.prepare(
    `INSERT INTO eventcore_events (rowid, event_id, stream_id, stream_version, event_type, event_data)
     VALUES (?, ?, 'odd', ?, 'Tested', '{}')`,
  );
  const rowids = [-(1n << 63n), -5n, 0n, (1n << 53n) + 1n, (1n << 63n) - 1n];
  for (const [i, rowid] of rowids.entries()) odd.run(rowid, `odd-${i}`, i);
  const expected = db.prepare('SELECT hex(event_id) AS id FROM eventcore_events ORDER BY rowid').all();
  for (const batchBytes of [100, 5000, 1 << 20]) {
    const read = await readRaw(store, batchBytes);
    assert.deepEqual(
      read.map((event) => event.id.toUpperCase()),
      expected.map((row) => row.id),
    );
  }
});

test('a table without rowids is read, counted and sampled, also where ids are BLOBs', async (t) => {
  const { store, connect } = temporaryStore(t);
  const db = connect();
  db.exec(`${UNTYPED.replace('event_id,', 'event_id TEXT PRIMARY KEY,')} WITHOUT ROWID`);
  insert(
    db,
    Array.from({ length: 300 }, (_, i) => ({
      id: i % 3 === 0 ? Buffer.from(`blob\0${i}`) : `text-${i}`,
      version: i,
    })),
  );
  for (const batchBytes of [60, 1000, 1 << 20]) {
    const events = await readRaw(store, batchBytes);
    assert.equal(events.length, 300);
    assert.equal(new Set(events.map((event) => event.version)).size, 300);
  }
  assert.equal(new Set((await store.sampleEvents(300)).map((event) => event.id)).size, 300);
  assert.deepEqual(await store.count(), { events: 300, streams: 1 });
  const snapshot = await store.openSnapshot();
  assert.deepEqual(await snapshot.estimate(), { events: null, bytes: null });
  assert.equal(snapshot.cursor.maxRowid, null);
});

test('times of the usual form are times, all others keep their text as well', async (t) => {
  const { store, migrate } = temporaryStore(t);
  const times = [TIME, '2026-11-23T04:05:06.789012Z', '2026-11-23 04:05:06', 'no time', '', 'infinity'];
  insert(
    migrate(),
    times.map((time) => ({ time })),
  );
  const events = await readRaw(store);
  assert.deepEqual(
    events.map((event) => event.timeText),
    [null, null, toHex(times[2]!), toHex('no time'), '', null],
  );
  assert.deepEqual(
    events.slice(0, 5).map((event) => event.time),
    [...times.slice(0, 3).map((time) => parseTime(time)), TIME_MINUS_INFINITY, TIME_MINUS_INFINITY],
  );
  const shown = (await store.readStream('a')).map((event) => event.recordedAt);
  assert.equal(shown[1], '2026-11-23T04:05:06.789012Z');
  assert.equal(shown[3], 'no time');
});

for (const [what, version, shown] of [
  ['beyond 2^53', 2n ** 53n, '9007199254740992'],
  ['below -2^53', -(2n ** 53n), '-9007199254740992'],
  ['no integer', 1.5, '1.5'],
  ['a text', 'first', "'first'"],
  ['a text with a comma', '1,2', "'1,2'"],
  ['a BLOB', Uint8Array.from([1, 2]), "X'0102'"],
] as const) {
  test(`a version that is ${what} is refused, and its event named`, async (t) => {
    const { store, migrate } = temporaryStore(t);
    const good = Array.from({ length: 700 }, () => ({}));
    insert(migrate(), [...good, { id: 'the-bad-one', stream: 'b', version }]);
    await assert.rejects(readRaw(store, 1000), (error) => {
      assert.ok(isBackupError(error, 'store_unsupported'), String(error));
      for (const part of ["'the-bad-one'", "'b'", shown])
        assert.ok(error.message.includes(part), error.message);
      return true;
    });
  });
}

test('the greatest and the least version that are exact are read', async (t) => {
  const { store, migrate } = temporaryStore(t);
  insert(migrate(), [
    { version: BigInt(Number.MAX_SAFE_INTEGER) },
    { version: BigInt(Number.MIN_SAFE_INTEGER) },
  ]);
  const versions = (await readRaw(store)).map((event) => event.version);
  assert.deepEqual(versions, [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]);
});

test('an event without an id, which SQLite allows in a primary key, is refused', async (t) => {
  const { store, migrate } = temporaryStore(t);
  insert(migrate(), [{}, { id: null, stream: 'nameless' }]);
  await assert.rejects(readRaw(store), (error) => {
    return isBackupError(error, 'store_unsupported') && /event NULL \(stream 'nameless'/.test(error.message);
  });
});

for (const [what, sql, message] of [
  [
    'a column that no backup would hold',
    'ALTER TABLE eventcore_events ADD COLUMN tenant TEXT',
    /unknown column "tenant"/,
  ],
  ['a column missing', 'ALTER TABLE eventcore_events DROP COLUMN metadata', /no column "metadata"/],
  [
    'a view in its place',
    'ALTER TABLE eventcore_events RENAME TO e; CREATE VIEW eventcore_events AS SELECT * FROM e',
    /is a view/,
  ],
  [
    'neither rowids nor a primary key of ids',
    `DROP TABLE eventcore_events; ${UNTYPED.replace(')', ', PRIMARY KEY (stream_id, stream_version)) WITHOUT ROWID')}`,
    /neither rowids/,
  ],
] as const) {
  test(`a store with ${what} is refused`, async (t) => {
    const { store, migrate } = temporaryStore(t);
    migrate().exec(sql);
    await assert.rejects(readRaw(store), (error) => {
      return isBackupError(error, 'store_unsupported') && message.test(error.message);
    });
  });
}

test('a generated column holds no data of its own and does no harm', async (t) => {
  const { store, migrate } = temporaryStore(t);
  const db = migrate();
  db.exec('ALTER TABLE eventcore_events ADD COLUMN size INTEGER AS (length(event_data)) VIRTUAL');
  insert(db, [{}]);
  assert.equal((await readRaw(store)).length, 1);
});

test('a database of UTF-16 texts is refused', async (t) => {
  const { store, connect, migrate } = temporaryStore(t);
  connect().exec('PRAGMA encoding = "UTF-16le"; CREATE TABLE x (y)');
  migrate();
  await assert.rejects(store.inspect(), (error) => {
    return isBackupError(error, 'store_unsupported') && /UTF-16le/.test(error.message);
  });
});

test('a snapshot sees neither events nor companions that are written after it was opened', async (t) => {
  const { store, migrate } = temporaryStore(t);
  const db = migrate();
  const saveCheckpoint = db.prepare(
    'INSERT INTO eventcore_subscription_versions (subscription_name, last_position) VALUES (?, ?)',
  );
  insert(db, [{}, {}, {}]);
  saveCheckpoint.run('early', 'x');
  const snapshot = await store.openSnapshot();
  const [range] = await snapshot.planRanges(1);
  let events = 0;
  for await (const batch of snapshot.readRange(range!, { batchBytes: 1 })) {
    events += batch.count;
    insert(db, [{ id: `late-${events}`, version: 100 + events }]);
    db.exec(`DELETE FROM eventcore_events WHERE event_id = 'id-2'`);
  }
  saveCheckpoint.run('late', 'y');
  const companions: (string | null | undefined)[] = [];
  for await (const row of snapshot.readCompanions()) companions.push(row.values.subscription_name);
  assert.equal(events, 3);
  assert.deepEqual(companions, ['early']);
});

test('in a rollback-journal mode a snapshot holds writers back, and they go on when it is closed', async (t) => {
  const { store, migrate } = temporaryStore(t);
  const db = migrate();
  db.exec('PRAGMA journal_mode = DELETE');
  insert(db, [{}]);
  const snapshot = await store.openSnapshot();
  assert.throws(() => insert(db, [{ id: 'late', version: 2 }]), /locked/);
  db.exec('ROLLBACK');
  await snapshot.close();
  insert(db, [{ id: 'late', version: 2 }]);
  assert.equal((await store.count()).events, 2);
});

test('looking at a store and reading it change no byte of it and leave no file behind', async (t) => {
  const { store, migrate, file, files } = temporaryStore(t);
  const db = migrate();
  insert(db, [{}, {}]);
  db.close();
  const before = readFileSync(file);
  await store.inspect();
  await store.count();
  await readRaw(store);
  assert.deepEqual(files(), ['events.db']);
  assert.ok(before.equals(readFileSync(file)));
});

test('events that a killed process left in the -wal file are read', async (t) => {
  const { migrate, file } = temporaryStore(t);
  insert(migrate(), [{}, {}, {}]);
  const crashed = temporaryStore(t);
  for (const suffix of ['', '-wal']) copyFileSync(file + suffix, crashed.file + suffix);
  assert.equal((await readRaw(crashed.store)).length, 3);
});

test('companions are read with all their columns, and refused where they are no text', async (t) => {
  const { store, migrate } = temporaryStore(t);
  const db = migrate();
  db.exec(`ALTER TABLE eventcore_command_state_snapshots ADD COLUMN note TEXT;
    INSERT INTO eventcore_command_state_snapshots VALUES ('\u{FEFF}s', '{"a":"\u{FEFF}é"}', 'then', NULL)`);
  const read = async () => {
    const snapshot = await store.openSnapshot();
    const rows = [];
    for await (const row of snapshot.readCompanions()) rows.push(row);
    await snapshot.close();
    return rows;
  };
  assert.deepEqual(await read(), [
    {
      table: 'eventcore_command_state_snapshots',
      role: 'snapshots',
      values: {
        snapshot_id: '\u{FEFF}s',
        snapshot_data: '{"a":"\u{FEFF}é"}',
        updated_at: 'then',
        note: null,
      },
    },
  ]);
  db.exec(`UPDATE eventcore_command_state_snapshots SET note = CAST(x'ff' AS TEXT)`);
  await assert.rejects(read(), (error) => isBackupError(error, 'store_unsupported'));
});
