import assert from 'node:assert/strict';
import type { EventStore } from '../../core/event-store.ts';
import { formatTime, parseTime } from '../../core/time.ts';
import { makeBatch, type TestEvent } from '../batches.ts';
import { type ContractCase, collect, numbered, refuses, type StoreCase } from './fixture.ts';
import { restoreInto } from './restoring.ts';

export const LOOK_CASES: readonly ContractCase[] = [
  ['a store that is not there is missing, and stays so when it is looked at', isMissing],
  ['a store is missing, then empty, then filled, then empty again', tellsItsState],
  ['an examined store that was just made has nothing in the way, and is as it was', examines],
  ['a store may be initialised again and keeps its events', initialisesAgain],
  ['nothing but inspect, initialise and restore works without a store', needsStore],
  ['streams are listed with their heads in the byte order of their names', listsInByteOrder],
  ['streams are listed page by page', listsPages],
  ['a listing of 2,500 streams is complete, and may be left early', listsMany],
  ['a stream is read from a version on, up to a limit', readsFromVersion],
  ['a read without a limit stops at 1,000 events', readsThousand],
  ['a stream that does not exist is empty', readsMissingStream],
  ['a stream is summed up by its name, and one that is not there is not', findsStream],
  ['events since an instant come by time, then by id', readsSince],
  ['a time with microseconds is told apart from its neighbours', readsSinceMicroseconds],
  ['a sample holds no event twice and is all there is when that is less', samplesAll],
  ['every event is sampled about as often as any other', samplesEvenly],
  ['events and streams are counted', counts],
  ['a cleared store has no events, and streams begin anew', clears],
  ['a handle may be closed twice', closesTwice],
];

async function isMissing({ store, open }: StoreCase): Promise<void> {
  const { state, versionBase, layout, serverVersion } = await store.inspect();
  assert.equal(state, 'missing');
  assert.ok(versionBase === 0 || versionBase === 1);
  assert.ok(layout.length > 0 && serverVersion.length > 0);
  assert.equal((await open().inspect()).state, 'missing');
}

async function tellsItsState({ store, open }: StoreCase): Promise<void> {
  const other = open();
  assert.equal((await other.inspect()).state, 'missing');
  await store.initialise();
  assert.equal((await other.inspect()).state, 'empty');
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  assert.equal((await other.inspect()).state, 'filled');
  await other.clear();
  assert.equal((await store.inspect()).state, 'empty');
}

async function examines({ store, open, capabilities }: StoreCase): Promise<void> {
  await store.initialise();
  await store.append([{ streamId: 'a', events: numbered(2) }]);
  const { clockAheadMs, feedObstacles, backupObstacles, leftovers } = await open().examine();
  assert.deepEqual({ backupObstacles, leftovers }, { backupObstacles: [], leftovers: [] });
  if (capabilities.hasFeed === false) assert.equal(feedObstacles.length, 1);
  else assert.deepEqual(feedObstacles, []);
  // The machine of a test has one clock.
  assert.ok(clockAheadMs === null || Math.abs(clockAheadMs) < 5000, String(clockAheadMs));
  assert.deepEqual(await store.count(), { events: 2, streams: 1 });
}

async function initialisesAgain({ store, open }: StoreCase): Promise<void> {
  await store.initialise();
  await store.append([{ streamId: 'a', events: numbered(3) }]);
  await store.initialise();
  await open().initialise();
  assert.deepEqual(await store.count(), { events: 3, streams: 1 });
}

async function needsStore({ store }: StoreCase): Promise<void> {
  const attempts: (() => Promise<unknown>)[] = [
    () => store.count(),
    () => store.examine(),
    () => store.readStream('a'),
    () => collect(store.listStreams()),
    () => store.findStream('a'),
    () => collect(store.readSince('2000-01-01T00:00:00Z')),
    () => store.sampleEvents(5),
    () => store.append([{ streamId: 'a', events: numbered(1) }]),
    () => store.clear(),
    () => store.openSnapshot(),
    () => store.openInspection({ statementTimeoutMs: 1000 }),
  ];
  for (const attempt of attempts) await refuses(attempt(), 'not_an_event_store');
  assert.equal((await store.inspect()).state, 'missing');
}

async function findsStream({ store }: StoreCase): Promise<void> {
  await store.initialise();
  await store.append([
    { streamId: 'a', events: numbered(3) },
    { streamId: 'a-1', events: numbered(1) },
    { streamId: "it's %_\u{1F600}", events: numbered(2) },
  ]);
  for (const streamId of ['a', 'a-1', "it's %_\u{1F600}"]) {
    const events = await store.readStream(streamId);
    assert.deepEqual(await store.findStream(streamId), {
      ...{ streamId, events: events.length },
      firstVersion: Number(events[0]!.version),
      lastVersion: Number(events.at(-1)!.version),
      lastEventId: events.at(-1)!.id,
    });
  }
  for (const streamId of ['', 'A', 'a-', 'a%', 'a\0']) assert.equal(await store.findStream(streamId), null);
}

/** In byte order; in UTF-16 order the last two would change places. */
const NAMES = ['A', 'Z', 'a', 'a-1', 'a1', 'b', 'é', '\uE000', '\uFFFD', '\u{1F600}'];

async function listsInByteOrder({ store }: StoreCase): Promise<void> {
  await store.initialise();
  for (const name of [...NAMES].reverse()) await store.append([{ streamId: name, events: numbered(2) }]);
  await store.append([{ streamId: 'a', events: numbered(3) }]);
  const heads = await collect(store.listStreams());
  assert.deepEqual(
    heads.map((head) => head.streamId),
    NAMES,
  );
  const last = (await store.readStream('a')).at(-1)!;
  const grown = heads.find((head) => head.streamId === 'a');
  assert.deepEqual([grown?.version, grown?.events], [last.version, 5]);
  assert.deepEqual(
    heads.filter((head) => head !== grown).map((head) => head.events),
    NAMES.slice(1).map(() => 2),
  );
}

async function listsPages({ store }: StoreCase): Promise<void> {
  await store.initialise();
  await store.append(NAMES.map((streamId) => ({ streamId, events: numbered(1) })));
  const listed: string[] = [];
  for (;;) {
    const after = listed.at(-1);
    const page = await collect(store.listStreams({ limit: 3, ...(after === undefined ? {} : { after }) }));
    assert.ok(page.length <= 3);
    if (page.length === 0) break;
    listed.push(...page.map((head) => head.streamId));
  }
  assert.deepEqual(listed, NAMES);
  const between = await collect(store.listStreams({ after: 'aa', limit: 1 }));
  assert.deepEqual(
    between.map((head) => head.streamId),
    ['b'],
  );
  assert.deepEqual(await collect(store.listStreams({ limit: 0 })), []);
}

async function listsMany({ store }: StoreCase): Promise<void> {
  await store.initialise();
  const names = Array.from({ length: 2500 }, (_, i) => `stream-${String(i).padStart(5, '0')}`);
  await store.append(names.map((streamId) => ({ streamId, events: numbered(1) })));
  for await (const head of store.listStreams()) {
    assert.equal(head.streamId, names[0]);
    break;
  }
  const listed = await collect(store.listStreams());
  assert.deepEqual(
    listed.map((head) => head.streamId),
    names,
  );
}

async function readsFromVersion({ store }: StoreCase): Promise<void> {
  await store.initialise();
  const base = BigInt((await store.inspect()).versionBase);
  await store.append([{ streamId: 'a', events: numbered(10) }]);
  await store.append([{ streamId: 'ab', events: numbered(2) }]);
  const read = async (options: { fromVersion?: bigint; limit?: number }) =>
    (await store.readStream('a', options)).map((event) => Number(event.version - base));
  assert.deepEqual(await read({ fromVersion: base + 7n }), [7, 8, 9]);
  assert.deepEqual(await read({ fromVersion: base + 2n, limit: 3 }), [2, 3, 4]);
  assert.deepEqual(await read({ limit: 2 }), [0, 1]);
  assert.deepEqual(await read({ fromVersion: base + 10n }), []);
  assert.deepEqual(await read({ limit: 0 }), []);
}

async function readsThousand({ store }: StoreCase): Promise<void> {
  await store.initialise();
  await store.append([{ streamId: 'a', events: numbered(1001) }]);
  assert.equal((await store.readStream('a')).length, 1000);
}

async function readsMissingStream({ store }: StoreCase): Promise<void> {
  await store.initialise();
  await store.append([{ streamId: 'present', events: numbered(1) }]);
  for (const name of ['absent', 'presen', 'present ', 'PRESENT', '']) {
    assert.deepEqual(await store.readStream(name), []);
  }
}

const NOON = parseTime('2026-02-28T12:00:00Z')!;
const SECOND = 1_000_000n;

/** Restores events of one stream with these times. */
async function withTimes(store: EventStore, times: readonly bigint[]): Promise<void> {
  const { versionBase } = await store.inspect();
  const events: TestEvent[] = times.map((time, i) => ({ streamId: 'a', version: versionBase + i, time }));
  await restoreInto(store, [makeBatch(events)]);
}

async function readsSince({ store }: StoreCase): Promise<void> {
  await withTimes(store, [NOON + 3n * SECOND, NOON, NOON + SECOND, NOON - SECOND, NOON + SECOND]);
  const base = BigInt((await store.inspect()).versionBase);
  const read = async (since: string, options?: { limit?: number }) =>
    (await collect(store.readSince(since, options))).map((event) => Number(event.version - base));
  assert.deepEqual(await read('2026-02-28T12:00:00Z'), [1, 2, 4, 0]);
  assert.deepEqual(await read('2026-02-28T13:00:01+01:00'), [2, 4, 0]);
  assert.deepEqual(await read('2026-02-28T12:00:00.500Z', { limit: 1 }), [2]);
  assert.deepEqual(await read('2026-02-28T12:00:03.000001Z'), []);
  assert.deepEqual(await read('1990-01-01T00:00:00Z', { limit: 2 }), [3, 1]);
  await refuses(collect(store.readSince('yesterday')), 'usage', /yesterday/);
}

async function readsSinceMicroseconds({ store }: StoreCase): Promise<void> {
  const times = [NOON + 123_456n, NOON + 123_000n, NOON + 123_457n, NOON + 123_400n, NOON];
  await withTimes(store, times);
  const ascending = [...times].sort((a, b) => Number(a - b)).map((time) => formatTime(time));
  const read = async (since: string) =>
    (await collect(store.readSince(since))).map((event) => event.recordedAt);
  assert.deepEqual(await read('2026-02-28T12:00:00Z'), ascending);
  assert.deepEqual(await read('2026-02-28T12:00:00.123Z'), ascending.slice(1));
  assert.deepEqual(await read('2026-02-28T12:00:00.123001Z'), ascending.slice(2));
  assert.deepEqual(await read('2026-02-28T12:00:00.123456Z'), ascending.slice(3));
  assert.deepEqual(await read('2026-02-28T12:00:00.123458Z'), []);
}

async function samplesAll({ store }: StoreCase): Promise<void> {
  await store.initialise();
  assert.deepEqual(await store.sampleEvents(5), []);
  await store.append([
    { streamId: 'a', events: numbered(20) },
    { streamId: 'b', events: numbered(20) },
  ]);
  for (const size of [0, 1, 7, 39, 40, 1000]) {
    const sample = await store.sampleEvents(size);
    assert.equal(new Set(sample.map((event) => event.id)).size, Math.min(size, 40));
    assert.equal(sample.length, Math.min(size, 40));
  }
}

async function samplesEvenly({ store }: StoreCase): Promise<void> {
  await store.initialise();
  await store.append([{ streamId: 'long', events: numbered(90) }]);
  for (let i = 0; i < 10; i += 1) {
    await store.append([{ streamId: `short-${i}`, events: [{ type: 'Tested', data: `{"n": ${91 + i}}` }] }]);
  }
  const seen = new Map<string, number>();
  for (let round = 0; round < 200; round += 1) {
    for (const { data } of await store.sampleEvents(10)) seen.set(data, (seen.get(data) ?? 0) + 1);
  }
  // Each of the 100 is expected 20 times, with a standard deviation of 4.2; 5.9 of these lie between here and there.
  assert.equal(seen.size, 100, 'some events were never sampled in 200 samples of a tenth');
  for (const [data, times] of seen) assert.ok(times <= 45, `${data} was sampled ${times} times`);
}

async function counts({ store, open }: StoreCase): Promise<void> {
  await store.initialise();
  assert.deepEqual(await store.count(), { events: 0, streams: 0 });
  await store.append([
    { streamId: 'a', events: numbered(3) },
    { streamId: 'A', events: numbered(1) },
  ]);
  assert.deepEqual(await open().count(), { events: 4, streams: 2 });
}

async function clears({ store, open }: StoreCase): Promise<void> {
  await store.initialise();
  const { versionBase } = await store.inspect();
  await store.clear();
  await store.append([{ streamId: 'a', events: numbered(5) }]);
  await open().clear();
  assert.deepEqual(await store.count(), { events: 0, streams: 0 });
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  assert.equal((await store.readStream('a'))[0]?.version, BigInt(versionBase));
}

async function closesTwice({ store, open }: StoreCase): Promise<void> {
  await store.initialise();
  await store.count();
  await store.close();
  await store.close();
  const untouched = open();
  await untouched.close();
  await untouched.close();
}
