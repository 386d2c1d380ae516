import assert from 'node:assert/strict';
import type {
  BatchReader,
  EventStore,
  StoreCursor,
  StoreRange,
  StreamSummary,
  StreamTail,
} from '../../core/event-store.ts';
import { batchRows } from '../batches.ts';
import { type ContractCase, numbered, type StoreCase } from './fixture.ts';
import { readAll } from './restoring.ts';

/** What an incremental backup asks of a store. */
export const CHANGE_CASES: readonly ContractCase[] = [
  ['a view counts its events, and sums them up by stream', sumsUp],
  ['what came after a view is found by its cursor, or the store says why not', findsChanges],
  ['what came into ranges of an earlier view is found, or the store says why not', findsChangesInRanges],
  ['a cursor of another store or of another kind is not followed', refusesForeignCursors],
  ['tails are read whole, and each event once', readsTails],
  ['a settled cursor is of the same place as the view', settles],
];

const STREAMS = ['a', 'it\'s "odd" \u{1F600}', 'z'];

async function seed(store: EventStore): Promise<void> {
  await store.initialise();
  await store.append(STREAMS.map((streamId, i) => ({ streamId, events: numbered(5 + i) })));
}

async function sumsUp({ store, open }: StoreCase): Promise<void> {
  await seed(store);
  const snapshot = await store.openSnapshot();
  await open().append([{ streamId: 'later', events: numbered(3) }]);
  assert.equal(await snapshot.countEvents(), 18);
  const summaries: StreamSummary[] = [];
  for await (const summary of snapshot.readSummaries()) summaries.push(summary);
  await snapshot.close();
  const expected: StreamSummary[] = [];
  for (const [i, streamId] of STREAMS.entries()) {
    const events = 5 + i;
    const last = (await store.readStream(streamId)).at(-1)!;
    expected.push({ streamId, events, firstVersion: 1, lastVersion: events, lastEventId: last.id });
  }
  assert.deepEqual(summaries, expected);
}

async function findsChanges({ store }: StoreCase): Promise<void> {
  await seed(store);
  const cursor = await takeCursor(store);
  const before = await readAll(store);
  await store.append([
    { streamId: 'a', events: numbered(2) },
    { streamId: 'new', events: numbered(1) },
  ]);
  const snapshot = await store.openSnapshot();
  const ranges = await snapshot.planChanges(cursor, 4);
  if (typeof ranges === 'string') {
    assert.match(ranges, /\w+ \w+/);
    await snapshot.close();
    return;
  }
  const found: string[] = [];
  for (const range of ranges) {
    for await (const batch of snapshot.readRange(range, { batchBytes: 4096 })) {
      for (const { streamId, version } of batchRows(batch)) found.push(`${String(streamId)} ${version}`);
    }
  }
  await snapshot.close();
  const known = new Set(before.map(({ streamId, version }) => `${String(streamId)} ${version}`));
  assert.deepEqual(found.filter((event) => !known.has(event)).sort(), ['a 6', 'a 7', 'new 1']);
  assert.equal(new Set(found).size, found.length);
}

async function findsChangesInRanges({ store }: StoreCase): Promise<void> {
  await seed(store);
  const first = await store.openSnapshot();
  const ranges = await first.planRanges(3, 1 << 20);
  const cursor = await first.settledCursor();
  const before: string[] = [];
  for (const range of ranges) before.push(...(await namesIn(first, range)));
  await first.close();
  await store.append([{ streamId: 'a', events: numbered(2) }]);
  const snapshot = await store.openSnapshot();
  try {
    for (let kept = 0; kept <= ranges.length; kept += 1) {
      const changes = await snapshot.planChangesIn(cursor, ranges.slice(0, kept));
      if (typeof changes === 'string') return assert.match(changes, /\w+ \w+/);
      const found: string[] = [];
      for (const range of ranges.slice(kept)) found.push(...(await namesIn(snapshot, range)));
      for (const range of changes) found.push(...(await namesIn(snapshot, range)));
      assert.equal(new Set(found).size, found.length);
      const all = new Set([...before, 'a 6', 'a 7']);
      assert.ok(found.every((name) => all.has(name)));
      if (kept === 0) assert.equal(found.length, all.size);
      else if (kept === ranges.length) assert.ok(found.includes('a 6') && found.includes('a 7'));
    }
  } finally {
    await snapshot.close();
  }
}

async function namesIn(reader: BatchReader, range: StoreRange): Promise<string[]> {
  const names: string[] = [];
  for await (const batch of reader.readRange(range, { batchBytes: 4096 })) {
    for (const { streamId, version } of batchRows(batch)) names.push(`${String(streamId)} ${version}`);
  }
  return names;
}

async function refusesForeignCursors({ store, openElsewhere }: StoreCase): Promise<void> {
  await seed(store);
  const elsewhere = await openElsewhere();
  await seed(elsewhere);
  const foreign = await takeCursor(elsewhere);
  const snapshot = await store.openSnapshot();
  for (const cursor of [foreign, { kind: 'memory', events: 3 } as const]) {
    assert.equal(typeof (await snapshot.planChanges(cursor, 1)), 'string');
    assert.equal(typeof (await snapshot.planChangesIn(cursor, [])), 'string');
  }
  await snapshot.close();
}

async function readsTails({ store }: StoreCase): Promise<void> {
  await seed(store);
  const tails: StreamTail[] = [
    { streamId: STREAMS[1]!, fromVersion: 4 },
    { streamId: 'z', fromVersion: 7 },
    { streamId: 'not there', fromVersion: 1 },
  ];
  const snapshot = await store.openSnapshot();
  const found: string[] = [];
  for (const range of await snapshot.planTails(tails)) {
    for await (const batch of snapshot.readRange(range, { batchBytes: 4096 })) {
      for (const { streamId, version } of batchRows(batch)) found.push(`${String(streamId)} ${version}`);
    }
  }
  assert.deepEqual(await snapshot.planTails([]).then((ranges) => ranges.length <= 1), true);
  await snapshot.close();
  assert.equal(new Set(found).size, found.length);
  for (const event of [4, 5, 6].map((version) => `${STREAMS[1]} ${version}`))
    assert.ok(found.includes(event));
  assert.ok(found.includes('z 7'));
}

async function settles({ store }: StoreCase): Promise<void> {
  await seed(store);
  const snapshot = await store.openSnapshot();
  assert.deepEqual(await snapshot.settledCursor(), snapshot.cursor);
  await snapshot.close();
}

async function takeCursor(store: EventStore): Promise<StoreCursor> {
  const snapshot = await store.openSnapshot();
  const cursor = await snapshot.settledCursor();
  await snapshot.close();
  return cursor;
}
