import assert from 'node:assert/strict';
import type { StoredEvent } from '../../core/event.ts';
import type { EventBatch, Spans } from '../../core/event-batch.ts';
import type { BatchReader, EventStore, StoreSnapshot } from '../../core/event-store.ts';
import { formatTime } from '../../core/time.ts';
import { batchRows, makeBatch, type TestEvent } from '../batches.ts';
import { type ContractCase, numbered, refuses, type StoreCase } from './fixture.ts';
import { inOrder, readAll, readCompanions, restoreInto } from './restoring.ts';

export const SNAPSHOT_CASES: readonly ContractCase[] = [
  ['a snapshot of an empty store has no events', readsNothing],
  ['a batch says the same of an event as a read of its stream', agreesWithReadStream],
  ['what is appended after a snapshot was opened is not in it', hidesLaterAppends],
  ['ranges hold each event exactly once, however many are asked for', coversOnce],
  ['a range survives structured cloning and may be read twice', readsRangeTwice],
  ['batches are about as large as asked for', keepsBatchSize],
  ['an event larger than a batch has a batch', readsLargeEvents],
  ['a batch is good until the next one is asked for, and its columns are in step', keepsColumnsInStep],
  ['a reading that is left early frees what it held', leavesEarly],
  ['a reading that is aborted ends as interrupted', stopsWhenAborted],
  ['a view is read by all who join it', joinsView],
  ['a cursor is plain data that names its kind of store', describesCursor],
  ['an estimate is null or a number that is not absurd', estimates],
  ['a snapshot may be closed twice, and its store with it open', closesTwice],
];

async function seed(store: EventStore): Promise<void> {
  await store.initialise();
  for (let round = 0; round < 4; round += 1) {
    await store.append([
      { streamId: 'long', events: numbered(40, round * 40) },
      { streamId: `short-${round}`, events: numbered(3) },
    ]);
  }
}

const SEEDED = 4 * 43;

async function readsNothing({ store }: StoreCase): Promise<void> {
  await store.initialise();
  assert.deepEqual(await readAll(store), []);
  assert.deepEqual(await readCompanions(store), []);
}

async function agreesWithReadStream({ store, capabilities }: StoreCase): Promise<void> {
  await seed(store);
  await store.append([
    {
      streamId: 'odd \u{1F600}',
      events: [
        { type: 'Größer', data: '"\\n\\u2028"', metadata: '{"a": [1, {"b": null}]}' },
        { type: 'Tested', data: ' {"spaced" : 1} ' },
        ...(capabilities.storesNul ? [{ type: 'Tested', data: '"\\u0000"' }] : []),
      ],
    },
  ]);
  const read: StoredEvent[] = [];
  for await (const { streamId } of store.listStreams()) read.push(...(await store.readStream(streamId)));
  const rows = await readAll(store);
  assert.equal(rows.length, read.length);
  for (const [i, row] of rows.entries()) {
    const event = read[i]!;
    assert.deepEqual(
      [row.id, row.streamId, BigInt(row.version), row.type, row.data, row.metadata, row.timeText],
      [event.id, event.streamId, event.version, event.type, event.data, event.metadata, null],
    );
    assert.equal(formatTime(row.time), event.recordedAt);
  }
}

async function hidesLaterAppends({ store, open }: StoreCase): Promise<void> {
  await seed(store);
  const before = await readAll(store);
  const snapshot = await store.openSnapshot();
  const other = open();
  await other.append([
    { streamId: 'long', events: numbered(1) },
    { streamId: 'later', events: numbered(1) },
  ]);
  const ranges = await snapshot.planRanges(2);
  await other.append([{ streamId: 'short-0', events: numbered(500) }]);
  assert.deepEqual(inOrder(await readRanges(snapshot, ranges)), before);
  await other.append([{ streamId: 'short-1', events: numbered(1) }]);
  assert.deepEqual(inOrder(await readRanges(snapshot, ranges)), before);
  await snapshot.close();
  assert.equal((await readAll(store)).length, SEEDED + 503);
}

async function coversOnce({ store }: StoreCase): Promise<void> {
  await seed(store);
  const all = await readAll(store);
  assert.equal(all.length, SEEDED);
  for (const parallel of [1, 2, 3, 7, 64]) {
    const snapshot = await store.openSnapshot();
    const ranges = await snapshot.planRanges(parallel);
    assert.ok(ranges.length >= 1 && ranges.length <= parallel, `${ranges.length} ranges of ${parallel}`);
    assert.deepEqual(
      ranges.map((range) => range.index),
      ranges.map((_, i) => i),
    );
    assert.deepEqual(inOrder(await readRanges(snapshot, ranges)), all);
    const small = await snapshot.planRanges(parallel, 100_000);
    assert.ok(small.length >= ranges.length);
    assert.deepEqual(
      small.map((range) => range.index),
      small.map((_, i) => i),
    );
    assert.deepEqual(inOrder(await readRanges(snapshot, small)), all);
    await snapshot.close();
  }
}

async function readsRangeTwice({ store }: StoreCase): Promise<void> {
  await seed(store);
  const snapshot = await store.openSnapshot();
  const ranges = await snapshot.planRanges(2);
  const once = await readRanges(snapshot, ranges);
  assert.deepEqual(await readRanges(snapshot, structuredClone(ranges)), once);
  await snapshot.close();
}

async function keepsBatchSize({ store }: StoreCase): Promise<void> {
  await store.initialise();
  const data = JSON.stringify('x'.repeat(1000));
  const events = Array.from({ length: 1000 }, () => ({ type: 'Tested', data }));
  await store.append([{ streamId: 'a', events }]);
  for (const batchBytes of [16_384, 131_072]) {
    const sizes: number[] = [];
    await eachBatch(store, batchBytes, (batch) => sizes.push(eventBytes(batch)));
    for (const size of sizes) assert.ok(size <= 2 * batchBytes, `a batch of ${size} bytes`);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(sizes.length <= 4 + (3 * total) / batchBytes, `${sizes.length} batches of ${batchBytes} bytes`);
  }
}

async function readsLargeEvents({ store }: StoreCase): Promise<void> {
  await store.initialise();
  const small = numbered(300);
  const large = { type: 'Large', data: JSON.stringify('y'.repeat(1_000_000)) };
  await store.append([{ streamId: 'a', events: [...small, large, ...small, large, large, ...small] }]);
  const batchBytes = 65_536;
  let events = 0;
  let largest = 0;
  await eachBatch(store, batchBytes, (batch) => {
    events += batch.count;
    largest = Math.max(largest, eventBytes(batch));
  });
  assert.equal(events, 903);
  assert.ok(largest < 1_000_000 + 2 * batchBytes, `a batch of ${largest} bytes`);
}

async function keepsColumnsInStep({ store }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  const events: TestEvent[] = Array.from({ length: 3000 }, (_, i) => ({
    streamId: `stream-${i % 7}`,
    version: versionBase + Math.floor(i / 7),
    type: `Type${i % 11}`,
    data: `{"n": ${i}}`,
    metadata: `{"of": ${i}}`,
    time: BigInt(i) * 1_000n,
  }));
  await restoreInto(store, [makeBatch(events)]);
  let seen = 0;
  await eachBatch(store, 4096, (batch) => {
    for (const row of batchRows(batch)) {
      const i = Number(/\d+/.exec(String(row.data))![0]);
      const { streamId, version, type, metadata, time } = events[i]!;
      assert.deepEqual(
        [row.streamId, row.version, row.type, row.metadata, row.time],
        [streamId, version, type, metadata, time],
      );
      seen += 1;
    }
  });
  assert.equal(seen, 3000);
}

async function leavesEarly({ store, open }: StoreCase): Promise<void> {
  await seed(store);
  const snapshot = await store.openSnapshot();
  const [range] = await snapshot.planRanges(1);
  for (let i = 0; i < 3; i += 1) {
    for await (const batch of snapshot.readRange(range!, { batchBytes: 1024 })) {
      assert.ok(batch.count > 0);
      break;
    }
  }
  assert.equal((await readRanges(snapshot, [range!])).length, SEEDED);
  await snapshot.close();
  await open().append([{ streamId: 'a', events: numbered(1) }]);
}

async function stopsWhenAborted({ store }: StoreCase): Promise<void> {
  await seed(store);
  const snapshot = await store.openSnapshot();
  const [range] = await snapshot.planRanges(1);
  const controller = new AbortController();
  const read = async () => {
    for await (const _ of snapshot.readRange(range!, { batchBytes: 1024, signal: controller.signal })) {
      controller.abort();
    }
  };
  await refuses(read(), 'interrupted');
  await snapshot.close();
  assert.equal((await store.count()).events, SEEDED);
}

async function joinsView({ store, open }: StoreCase): Promise<void> {
  await seed(store);
  const snapshot = await store.openSnapshot();
  const ranges = await snapshot.planRanges(4);
  await open().append([{ streamId: 'later', events: numbered(5) }]);
  const rows: Required<TestEvent>[] = [];
  for (const range of ranges) {
    if (snapshot.token === null) {
      rows.push(...(await readRanges(snapshot, [range])));
      continue;
    }
    const reader = await open().joinSnapshot(snapshot.token);
    rows.push(...(await readRanges(reader, [range])));
    await reader.close();
  }
  await snapshot.close();
  assert.equal(rows.length, SEEDED);
  assert.equal(new Set(rows.map((row) => row.id)).size, SEEDED);
}

async function describesCursor({ store }: StoreCase): Promise<void> {
  await seed(store);
  const { kind } = await store.inspect();
  const snapshot = await store.openSnapshot();
  assert.equal(snapshot.cursor.kind, kind);
  assert.deepEqual(JSON.parse(JSON.stringify(snapshot.cursor)), snapshot.cursor);
  await snapshot.close();
}

async function estimates({ store }: StoreCase): Promise<void> {
  await seed(store);
  const snapshot = await store.openSnapshot();
  const { events, bytes } = await snapshot.estimate();
  for (const value of [events, bytes]) {
    assert.ok(value === null || (Number.isInteger(value) && value >= 0 && value < 1e9), String(value));
  }
  await snapshot.close();
}

async function closesTwice({ store }: StoreCase): Promise<void> {
  await seed(store);
  const snapshot = await store.openSnapshot();
  await snapshot.close();
  await snapshot.close();
  await store.openSnapshot();
  await store.close();
}

async function readRanges(
  reader: BatchReader,
  ranges: Awaited<ReturnType<StoreSnapshot['planRanges']>>,
): Promise<Required<TestEvent>[]> {
  const rows: Required<TestEvent>[] = [];
  for (const range of ranges) {
    for await (const batch of reader.readRange(range, { batchBytes: 4096 })) rows.push(...batchRows(batch));
  }
  return rows;
}

async function eachBatch(
  store: EventStore,
  batchBytes: number,
  use: (batch: EventBatch) => void,
): Promise<void> {
  const snapshot = await store.openSnapshot();
  for (const range of await snapshot.planRanges(1)) {
    for await (const batch of snapshot.readRange(range, { batchBytes })) use(batch);
  }
  await snapshot.close();
}

function eventBytes(batch: EventBatch): number {
  const columns: Spans[] = [batch.id, batch.stream, batch.type, batch.data, batch.metadata];
  let sum = 0;
  for (let row = 0; row < batch.count; row += 1) for (const column of columns) sum += column.lengths[row]!;
  return sum;
}
