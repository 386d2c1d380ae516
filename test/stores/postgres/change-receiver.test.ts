/** How a server's stream becomes batches, wherever it is cut and whatever it has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../../src/core/errors.ts';
import {
  type ChangeReceiver,
  discard,
  received,
  room,
  setBatchBytes,
} from '../../../src/stores/postgres/change-receiver.ts';
import { firstUnused, withoutPageHeader } from '../../../src/stores/postgres/horizon.ts';
import { completeEvent, type TestEvent } from '../../../src/testing/batches.ts';
import { feed, finish, type Seen, startReading } from './change-reading.ts';
import {
  begin,
  type Change,
  COLUMNS,
  change,
  commit,
  keepalive,
  keyTuple,
  message,
  RELATION,
  relation,
  type Transaction,
  transaction,
  tuple,
  xlog,
} from './pgoutput-messages.ts';

function expected(transactions: readonly Transaction[]): Seen[] {
  return transactions.flatMap(({ xid, commit: position, time, changes }) => {
    const noted = changes.flatMap((what) => expectedChange(what));
    return noted.length === 0 ? [] : [{ xid, commit: position, time, changes: noted }];
  });
}

function expectedChange(what: Change): (Required<TestEvent> | string)[] {
  if (what.kind === 'elsewhere') return [];
  if (what.kind === 'truncate') return ['truncate null'];
  if (what.kind === 'delete') return [`delete ${what.id}`];
  const event = completeEvent(what.event, 0);
  return what.kind === 'insert' ? [event] : [`update ${what.oldId ?? event.id}`, event];
}

const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const event: fc.Arbitrary<TestEvent> = fc.record({
  ...{
    id: fc.uuid(),
    streamId: text,
    version: fc.maxSafeInteger(),
    type: text,
    time: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  },
  data: fc.oneof(
    { weight: 9, arbitrary: text },
    { weight: 1, arbitrary: fc.string({ minLength: 500, maxLength: 3000 }) },
  ),
  metadata: fc.option(text, { nil: null }),
});
const anyChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: event.map((what): Change => ({ kind: 'insert', event: what })) },
  fc
    .tuple(event, fc.option(fc.uuid()))
    .map(([what, oldId]): Change => ({ kind: 'update', event: what, oldId })),
  fc.uuid().map((id): Change => ({ kind: 'delete', id })),
  fc.constant<Change>({ kind: 'truncate' }),
  fc.constant<Change>({ kind: 'elsewhere' }),
);
const transactions: fc.Arbitrary<Transaction[]> = fc
  .array(fc.array(anyChange, { maxLength: 12 }), { maxLength: 15 })
  .map((all) =>
    all.map((changes, i) => ({ xid: 700 + i, commit: BigInt(1000 + i * 100), time: BigInt(i), changes })),
  );

/** Relation, transactions, and keepalives between them, also one in the middle of each. */
function stream(all: readonly Transaction[], withKeepalives: boolean): Buffer {
  const parts = all.flatMap((one) => [
    ...[begin(one), ...one.changes.map(change)],
    ...(withKeepalives ? [keepalive(one.commit, true)] : []),
    ...[
      commit(one),
      ...(withKeepalives ? [keepalive(one.commit + 50n), message('N', Buffer.from('x'))] : []),
    ],
  ]);
  return Buffer.concat([message('W', Buffer.alloc(3)), relation(), ...parts]);
}

test('transactions come out whole and in order, however the stream is cut, however small batches are, whenever one is taken', () => {
  fc.assert(
    fc.property(
      ...[
        transactions,
        fc.integer({ min: 1, max: 6000 }),
        fc.array(fc.nat()),
        fc.array(fc.boolean()),
        fc.boolean(),
      ],
      (all, batchBytes, cuts, linger, withKeepalives) => {
        const reading = startReading(batchBytes);
        feed(reading, stream(all, withKeepalives), cuts, linger);
        assert.deepEqual(finish(reading), expected(all));
        const last = all.at(-1)?.commit;
        if (last !== undefined) {
          assert.equal(reading.receiver.reached, last + (withKeepalives ? 50n : 40n));
          assert.equal(reading.receiver.mark.to, last + 1n);
        }
        assert.equal(reading.replies, withKeepalives ? all.length : 0, 'each request is heard once');
        assert.equal(reading.messages.join(''), `W${withKeepalives ? 'N'.repeat(all.length) : ''}`);
      },
    ),
  );
});

test('one stream split at every byte gives the same batches', () => {
  const all: Transaction[] = [
    { xid: 5, commit: 10n, time: 1n, changes: [{ kind: 'insert', event: { streamId: 'a', version: 1 } }] },
    {
      xid: 6,
      commit: 60n,
      time: 2n,
      changes: [
        { kind: 'truncate' },
        { kind: 'delete', id: completeEvent({ streamId: 'a', version: 1 }, 0).id as string },
      ],
    },
  ];
  const bytes = stream(all, true);
  for (let at = 0; at < bytes.length; at += 1) {
    const reading = startReading(1 << 16);
    feed(reading, bytes, [at], [true]);
    assert.deepEqual(finish(reading), expected(all), `split at ${at}`);
  }
});

test('a transaction of a hundred thousand events goes over many batches, and takes two buffers', () => {
  const count = 100_000;
  const insert = change({ kind: 'insert', event: { streamId: 'a', version: 7 } });
  const head = { xid: 9, commit: 500n, time: 3n };
  const before: Transaction = {
    xid: 8,
    commit: 400n,
    time: 2n,
    changes: [{ kind: 'insert', event: { streamId: 'b', version: 1 } }],
  };
  const reading = startReading(50_000);
  const buffers = new Set<ArrayBufferLike>();
  const note = (bytes: Uint8Array): void => {
    feed(reading, bytes, []);
    buffers.add(reading.receiver.rows.bytes.buffer);
  };
  note(Buffer.concat([relation(), transaction(before), begin(head)]));
  for (let i = 0; i < count; i += 100) note(Buffer.concat(Array.from({ length: 100 }, () => insert)));
  note(Buffer.concat([commit(head), transaction({ ...before, xid: 10, commit: 600n })]));
  const seen = finish(reading);
  assert.deepEqual(
    seen.map(({ xid, changes }) => [xid, changes.length]),
    [
      [8, 1],
      [9, count],
      [10, 1],
    ],
  );
  const closed = reading.batches.filter(({ isOpen }) => !isOpen).map(({ to }) => to);
  assert.deepEqual(closed, [501n, 601n], 'what comes behind it is not part of its batches');
  assert.ok(reading.batches.length > 200, String(reading.batches.length));
  assert.equal(buffers.size, 2);
});

test('no room is made by the word of a message: it grows as bytes come', () => {
  const reading = startReading(4096);
  const head = Buffer.alloc(5, 'd');
  head.writeUInt32BE(0x7fff_ff00, 1);
  feed(reading, Buffer.concat([head, Buffer.alloc(40 << 20)]), []);
  const { length } = reading.receiver.rows.bytes;
  assert.ok(length > 40 << 20 && length < 100 << 20, `${length} bytes`);
});

test('a row that is larger than the buffer gets through, also inside a transaction, and the buffer shrinks again', () => {
  const large = JSON.stringify('x'.repeat(300_000));
  const changes: Change[] = [undefined, large, undefined, large].map((data, i) => ({
    kind: 'insert',
    event: { streamId: 'a', version: i, ...(data === undefined ? {} : { data }) },
  }));
  const all: Transaction[] = [1, 2, 3].map((i) => ({ xid: i, commit: BigInt(i * 100), time: 0n, changes }));
  const reading = startReading(4096);
  feed(reading, stream(all, false), [70_000, 70_001, 500_000]);
  assert.deepEqual(finish(reading), expected(all));
  feed(reading, transaction({ xid: 4, commit: 400n, time: 0n, changes: changes.slice(0, 1) }), []);
  finish(reading);
  feed(reading, keepalive(500n), []);
  finish(reading);
  assert.equal(reading.receiver.rows.bytes.length, 4096);
});

test('transactions before the position to begin from are passed over, and the position does not go back', () => {
  const one = (xid: number, position: bigint): Transaction => ({
    ...{ xid, commit: position, time: 0n },
    changes: [{ kind: 'insert', event: { streamId: 'a', version: xid } }],
  });
  const reading = startReading(10_000, 301n);
  feed(reading, Buffer.concat([relation(), transaction(one(1, 200n)), transaction(one(2, 300n))]), []);
  assert.deepEqual(finish(reading), []);
  assert.equal(reading.receiver.mark.to, 301n);
  feed(reading, transaction(one(3, 301n)), []);
  assert.deepEqual(
    finish(reading).map(({ xid }) => xid),
    [3],
  );
});

test('a keepalive inside a transaction says nothing about it', () => {
  const head = { xid: 9, commit: 500n, time: 3n };
  const reading = startReading(10_000);
  feed(reading, Buffer.concat([relation(), begin(head), keepalive(700n)]), []);
  assert.equal(reading.receiver.reached, 0n);
  feed(reading, Buffer.concat([commit(head), keepalive(800n)]), []);
  assert.equal(reading.receiver.reached, 800n);
});

test('batches may be made larger while one is full', () => {
  const all: Transaction[] = Array.from({ length: 60 }, (_, i) => ({
    ...{ xid: i, commit: BigInt(i * 100 + 100), time: 0n },
    changes: [{ kind: 'insert', event: { streamId: 'a', version: i, data: '"0123456789"' } }],
  }));
  const reading = startReading(4000);
  const bytes = stream(all, false);
  const { receiver } = reading;
  let at = 0;
  while (!receiver.isDue) {
    const place = room(receiver);
    const part = bytes.subarray(at, at + Math.min(place.length, 97));
    place.set(part);
    at += part.length;
    received(receiver, part.length, 0);
  }
  setBatchBytes(receiver, 1 << 20, 0);
  assert.equal(receiver.isDue, false);
  feed(reading, bytes.subarray(at), []);
  assert.deepEqual(finish(reading), expected(all));
  assert.equal(reading.batches.length, 1);
});

test('when what comes is thrown away, other messages still are heard', () => {
  const reading = startReading(300);
  const { receiver } = reading;
  const insert: Change = {
    kind: 'insert',
    event: { streamId: 'a', version: 1, data: JSON.stringify('x'.repeat(2000)) },
  };
  const bytes = stream(
    [1, 2, 3].map((i) => ({ xid: i, commit: BigInt(i), time: 0n, changes: [insert] })),
    false,
  );
  const first = place(receiver, bytes.subarray(0, 600));
  discard(receiver);
  for (let at = first; at < bytes.length; ) at += place(receiver, bytes.subarray(at));
  place(receiver, message('Z', Buffer.from('I')));
  assert.deepEqual(reading.messages, ['W', 'Z']);
  assert.equal(receiver.isDue, false);
});

function place(receiver: ChangeReceiver, bytes: Uint8Array): number {
  const into = room(receiver);
  const part = bytes.subarray(0, into.length);
  into.set(part);
  received(receiver, part.length, 0);
  return part.length;
}

test('a changed byte anywhere is refused or ends as another set of changes, never as a crash or a loop', () => {
  const all: Transaction[] = [
    { xid: 5, commit: 10n, time: 1n, changes: [{ kind: 'insert', event: { streamId: 'a', version: 1 } }] },
    {
      ...{ xid: 6, commit: 60n, time: 2n },
      changes: [
        {
          kind: 'update',
          event: { streamId: 'a', version: 1 },
          oldId: '01932f3e-7c00-7a01-8b02-0123456789ab',
        },
        { kind: 'delete', id: '01932f3e-7c00-7a01-8b02-0123456789ab' },
        { kind: 'truncate' },
      ],
    },
  ];
  const sound = stream(all, true);
  fc.assert(
    fc.property(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 }), (at, flipped) => {
      const bytes = Buffer.from(sound);
      bytes[at]! ^= flipped;
      const reading = startReading(1 << 16);
      try {
        feed(reading, bytes, []);
        finish(reading);
      } catch (error) {
        assert.ok(error instanceof BackupError, String(error));
      }
    }),
    { numRuns: 1500 },
  );
});

test('bytes that are no stream are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (garbage) => {
      const reading = startReading(1 << 16);
      feed(reading, Buffer.concat([relation(), begin({ xid: 1, commit: 5n, time: 0n })]), []);
      assert.throws(
        () =>
          feed(reading, xlog(Buffer.concat([Buffer.from('I'), Buffer.alloc(2), garbage.subarray(0, 1)])), []),
        BackupError,
      );
      assert.throws(
        () => feed(startReading(1 << 16), message('d', Buffer.concat([Buffer.from('?'), garbage])), []),
        BackupError,
      );
    }),
  );
});

test('what breaks the order of a stream is refused', () => {
  const head = { xid: 1, commit: 5n, time: 0n };
  const insert = change({ kind: 'insert', event: { streamId: 'a', version: 1 } });
  const cases: [string, Buffer[]][] = [
    ['a transaction inside another', [begin(head), begin(head)]],
    ['a change outside a transaction', [relation(), insert]],
    ['a row before its table', [begin(head), insert]],
    ['the end of another transaction', [begin(head), commit({ ...head, commit: 6n })]],
    ['an end without a beginning', [commit(head)]],
    ['a streamed transaction', [xlog(Buffer.from('S0000'))]],
    ['an empty message', [xlog(Buffer.alloc(0))]],
  ];
  for (const [what, parts] of cases) {
    assert.throws(
      () => feed(startReading(1 << 16), Buffer.concat(parts), []),
      unsupported(/cannot be read/),
      what,
    );
  }
});

test('a table that is not of the layout is refused, and the column named', () => {
  const without = COLUMNS.filter(([name]) => name !== 'metadata');
  const other = COLUMNS.map(([name, type]) => [name, name === 'event_data' ? 114 : type] as const);
  const more = [...COLUMNS, ['tenant', 25] as const];
  for (const [columns, text] of [
    [without, /metadata is missing/],
    [other, /event_data is of type 114/],
    [more, /a column tenant/],
  ] as const) {
    assert.throws(() => feed(startReading(1 << 16), relation(columns), []), unsupported(text));
  }
});

test('columns may stand in another order', () => {
  const order = [6, 3, 0, 5, 1, 4, 2];
  const reading = startReading(1 << 16);
  const given = {
    id: '01932f3e-7c00-7a01-8b02-0123456789ab',
    streamId: 'a',
    version: 3,
    data: '[1]',
    time: 77n,
  };
  const fields = splitFields(tuple(given));
  const shuffled = Buffer.concat([tuple(given).subarray(0, 2), ...order.map((i) => fields[i]!)]);
  const head = { xid: 1, commit: 5n, time: 0n };
  const insert = Buffer.concat([
    Buffer.from('I\0\0'),
    Buffer.from([RELATION >> 8, RELATION & 255]),
    Buffer.from('N'),
    shuffled,
  ]);
  feed(
    reading,
    Buffer.concat([relation(order.map((i) => COLUMNS[i]!)), begin(head), xlog(insert), commit(head)]),
    [],
  );
  assert.deepEqual(finish(reading)[0]!.changes, [completeEvent(given, 0)]);
});

function splitFields(row: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  for (let at = 2; at < row.length; ) {
    const end = at + 5 + row.readInt32BE(at + 1);
    fields.push(row.subarray(at, end));
    at = end;
  }
  return fields;
}

test('a large value that an update left as it was is taken from the old row, and without one the feed is lost', () => {
  const old = { id: '01932f3e-7c00-7a01-8b02-0123456789ab', streamId: 'a', version: 3, data: '"large"' };
  const next = tuple({ ...old, type: 'Renamed' }, [4]);
  const head = { xid: 1, commit: 5n, time: 0n };
  const oid = Buffer.from([0, 0, RELATION >> 8, RELATION & 255]);
  const update = (parts: Buffer[]): Buffer =>
    xlog(Buffer.concat([Buffer.from('U'), oid, ...parts, Buffer.from('N'), next]));
  const whole = startReading(1 << 16);
  const full = update([Buffer.from('O'), tuple(old)]);
  feed(whole, Buffer.concat([relation(), begin(head), full, commit(head)]), []);
  assert.deepEqual(finish(whole)[0]!.changes, [
    `update ${old.id}`,
    completeEvent({ ...old, type: 'Renamed' }, 0),
  ]);
  for (const parts of [[], [Buffer.from('K'), keyTuple(old.id)]]) {
    assert.throws(
      () => feed(startReading(1 << 16), Buffer.concat([relation(), begin(head), update(parts)]), []),
      (error) => {
        assert.ok(error instanceof BackupError && error.code === 'feed_lost', String(error));
        assert.deepEqual(error.facts, {
          ...{ reason: 'value_not_sent', eventId: old.id, table: '"public"."eventcore_events"' },
          ...{ column: 'event_data', streamId: 'a', version: 3 },
        });
        return true;
      },
    );
  }
});

test('a horizon is above every number in use, also where 32 bits have run over', () => {
  assert.equal(firstUnused(100n, []), 100n);
  assert.equal(firstUnused(100n, ['99', '103', '100']), 104n);
  assert.equal(firstUnused(2n ** 32n + 2n, ['4294967295', '5']), 2n ** 32n + 6n);
  assert.equal(firstUnused(2n ** 32n - 1n, ['3']), 2n ** 32n + 4n);
});

test('an insert position behind the header of a new page is the end of the page before', () => {
  assert.equal(withoutPageHeader(8192n * 5n + 24n), 8192n * 5n);
  assert.equal(withoutPageHeader(0x1000028n), 0x1000000n);
  assert.equal(withoutPageHeader(8192n * 5n + 64n), 8192n * 5n + 64n);
});

function unsupported(text: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof BackupError, String(error));
    assert.equal(error.code, 'store_unsupported');
    assert.match(error.message, text);
    return true;
  };
}
