import assert from 'node:assert/strict';
import type { EventStore, StoreSnapshot, StreamSummary } from '../../core/event-store.ts';
import type { StreamSample } from '../../core/inspection.ts';
import { nameBytes } from '../../core/name-text.ts';
import { bucketOf } from '../../core/stream-bucket.ts';
import { batchRows, type TestEvent } from '../batches.ts';
import { type ContractCase, collect, numbered, type StoreCase } from './fixture.ts';
import { inOrder, readAll } from './restoring.ts';

export const SAMPLE_CASES: readonly ContractCase[] = [
  ['blocks hold each event exactly once', blocksCoverOnce],
  ['a block keeps its events while others are appended', blocksStay],
  ['an empty store has a block without events', emptyHasBlock],
  ['many blocks are read one after the other, and in any order', readsInAnyOrder],
  ['buckets are disjoint, and all of them together are all streams', bucketsPartStreams],
  ['a stream is in the bucket that its name says, with what there is of it', bucketsFollowNames],
  ['the same seed gives the same streams, another one others', seedDecides],
];

/** Names of many lengths, some of them more than ASCII. */
function streamName(i: number): string {
  return `${'long'.repeat(i % 9)}-${i}${i % 5 === 0 ? 'größe\u{1F600}' : ''}`;
}

const STREAMS = 120;
const PER_STREAM = 20;

async function seed(store: EventStore): Promise<void> {
  await store.initialise();
  for (let round = 0; round < 2; round += 1) {
    await store.append(
      Array.from({ length: STREAMS }, (_, i) => ({
        streamId: streamName(i),
        events: numbered(PER_STREAM / 2, round * 100),
      })),
    );
  }
}

async function withView<Result>(
  store: EventStore,
  work: (snapshot: StoreSnapshot) => Promise<Result>,
): Promise<Result> {
  const snapshot = await store.openSnapshot();
  try {
    return await work(snapshot);
  } finally {
    await snapshot.close();
  }
}

async function readBlocks(
  snapshot: StoreSnapshot,
  numbers?: readonly number[],
): Promise<Required<TestEvent>[][]> {
  const { blocks, range } = await snapshot.planBlocks();
  const read: Required<TestEvent>[][] = [];
  for (const number of numbers ?? Array.from({ length: blocks }, (_, i) => i)) {
    const rows: Required<TestEvent>[] = [];
    for await (const batch of snapshot.readRange(range(number), { batchBytes: 65_536 })) {
      rows.push(...batchRows(batch));
    }
    read.push(rows);
  }
  return read;
}

async function blocksCoverOnce({ store, open }: StoreCase): Promise<void> {
  await seed(store);
  const all = await readAll(store);
  await withView(store, async (snapshot) => {
    await open().append([{ streamId: 'later', events: numbered(700) }]);
    const read = await readBlocks(snapshot);
    assert.ok(read.length > 1, 'one block only');
    assert.deepEqual(inOrder(read.flat()), all);
  });
}

async function blocksStay({ store, capabilities }: StoreCase): Promise<void> {
  await seed(store);
  const before = await withView(store, (snapshot) => readBlocks(snapshot));
  await store.append([{ streamId: 'later', events: numbered(3000) }]);
  const after = await withView(store, (snapshot) => readBlocks(snapshot));
  assert.ok(after.length > before.length);
  if (capabilities.isOne === false) {
    // Of each of the stores the last one had room.
    const known = new Set(before.flat().map(({ id }) => id));
    const stayed = after.map((rows) => rows.filter(({ id }) => known.has(id)));
    assert.deepEqual(stayed.slice(0, before.length), before);
    return;
  }
  // The last one had room.
  const whole = before.length - 1;
  assert.deepEqual(after.slice(0, whole), before.slice(0, whole));
}

async function emptyHasBlock({ store }: StoreCase): Promise<void> {
  await store.initialise();
  assert.deepEqual(await withView(store, (snapshot) => readBlocks(snapshot)), [[]]);
}

async function readsInAnyOrder({ store }: StoreCase): Promise<void> {
  await seed(store);
  await withView(store, async (snapshot) => {
    const inTurn = await readBlocks(snapshot);
    const backwards = Array.from({ length: 40 }, (_, i) => (inTurn.length * 40 - 1 - i) % inTurn.length);
    const read = await readBlocks(snapshot, backwards);
    assert.deepEqual(
      read,
      backwards.map((number) => inTurn[number]),
    );
  });
}

function summaries(store: EventStore, sample?: StreamSample): Promise<StreamSummary[]> {
  return withView(store, (snapshot) =>
    collect(snapshot.readSummaries(sample === undefined ? {} : { sample })),
  );
}

async function bucketsPartStreams({ store }: StoreCase): Promise<void> {
  await seed(store);
  const of = 7;
  const parts: StreamSummary[][] = [];
  for (const buckets of [[0], [1, 6], [2], [3, 4, 5]])
    parts.push(await summaries(store, { seed: 77, of, buckets }));
  for (const part of parts) assert.ok(part.length > 0, 'a bucket of seven without any of 120 streams');
  const all = await summaries(store);
  assert.equal(all.length, STREAMS);
  const byName = (a: StreamSummary, b: StreamSummary): number =>
    Buffer.compare(nameBytes(a.streamId), nameBytes(b.streamId));
  for (const part of parts) assert.deepEqual(part.toSorted(byName), part);
  assert.deepEqual(parts.flat().sort(byName), all);
}

async function bucketsFollowNames({ store }: StoreCase): Promise<void> {
  await seed(store);
  const all = await summaries(store);
  const sample = { seed: 0xfedc_ba98, of: 1000, buckets: Array.from({ length: 250 }, (_, i) => i * 4) };
  assert.deepEqual(
    await summaries(store, sample),
    all.filter(({ streamId }) => bucketOf(sample, nameBytes(streamId)) % 4 === 0),
  );
}

async function seedDecides({ store }: StoreCase): Promise<void> {
  await seed(store);
  const sample = { seed: 5, of: 10, buckets: [3, 4, 5] };
  const once = await summaries(store, sample);
  assert.deepEqual(await summaries(store, sample), once);
  assert.notDeepEqual(await summaries(store, { ...sample, seed: 6 }), once);
}
