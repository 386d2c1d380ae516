import assert from 'node:assert/strict';
import type { CompanionRow, EventStore, RestoreSession, StreamSummary } from '../../core/event-store.ts';
import { compareUtf8 } from '../../core/text-order.ts';
import { completeEvent, makeBatch, type TestEvent } from '../batches.ts';
import {
  type ContractCase,
  collect,
  numbered,
  refuses,
  type StoreCapabilities,
  type StoreCase,
} from './fixture.ts';
import { inOrder, load, readAll, readCompanions, restoreInto } from './restoring.ts';

export const RESTORE_CASES: readonly ContractCase[] = [
  ['a restore keeps every id, version, time, name and text', keepsEverything],
  ['a restore into a place with no store makes the store', restoresIntoNothing],
  ['a restore of nothing leaves an empty store', restoresNothing],
  ['what one store gives another store takes, and gives back the same', travels],
  ['ids are taken as 16 bytes and as text alike', takesBothIds],
  ['a text id is kept, or refused with its event named', treatsTextIds],
  ['several writers, one after the other or joined, load one store', loadsWithSeveralWriters],
  ['a writer that is alone loads as others do, and may give up', loadsAlone],
  ['what a writer gave up is not there', abortsWriter],
  ['what was loaded is summed up by stream, in byte order', sumsUp],
  ['nothing is visible to others before it is published', hidesUntilPublished],
  ['a discarded restore leaves the target as it was', discards],
  ['a discard may be repeated, and after publishing it does nothing', discardsSafely],
  ['a target that holds events is refused', refusesEvents],
  ['with replace, the new events take the place of all that was there', replaces],
  ['two restores at the same time are refused to the second', refusesSecond],
  ['appends go on where the restored streams end', appendsGoOn],
  ['a companion row of an unknown table or shape has no place', refusesUnknownCompanions],
];

/** Of a store that is one. */
export const WHOLE_RESTORE_CASES: readonly ContractCase[] = [
  ['two events with the same id, or of the same version, are refused and named', refusesDuplicates],
];

/** Of a store that has a place for the checkpoints of EventCore's databases. */
export const CHECKPOINT_CASES: readonly ContractCase[] = [
  ['a target that holds only checkpoints is refused', refusesCheckpoints],
  ['checkpoints are restored with the events', restoresCheckpoints],
];

const CHECKPOINTS = 'eventcore_subscription_versions';

function checkpoint(name: string, position = '01932f3e-7c00-7a01-8b02-0123456789ab'): CompanionRow {
  const values = {
    subscription_name: name,
    last_position: position,
    updated_at: '2026-02-28T12:00:00.123Z',
  };
  return { table: CHECKPOINTS, role: 'checkpoints', values };
}

/** As many as the store has a place for. */
function checkpoints({ keepsCheckpoints }: StoreCapabilities, ...names: string[]): CompanionRow[] {
  return keepsCheckpoints === false ? [] : names.map((name) => checkpoint(name));
}

/** A store may have other rows that belong to its events. */
async function readCheckpoints(store: EventStore): Promise<CompanionRow[]> {
  return (await readCompanions(store)).filter(({ table }) => table === CHECKPOINTS);
}

function open(store: EventStore, replace = false): Promise<RestoreSession> {
  return store.openRestore({ attemptId: crypto.randomUUID(), replace });
}

/** `count` events in streams of several lengths, not in the order of their streams. */
function manyEvents(base: number, count: number, firstId = 0): TestEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `01932f3e-7c00-7a01-8b02-${(firstId + i).toString(16).padStart(12, '0')}`,
    streamId: `stream-${i % 13}`,
    version: base + Math.floor(i / 13),
    type: i % 3 === 0 ? 'Opened' : 'Changed',
    data: `{"n": ${i}}`,
    metadata: i % 5 === 0 ? '{}' : `{"by": "tester ${i}"}`,
    time: 823_000_000_000_000n + BigInt(i) * 1_000_003n,
  }));
}

/** As `readAll` gives them back. */
function expected(events: readonly TestEvent[]): Required<TestEvent>[] {
  return inOrder(events.map(completeEvent));
}

async function keepsEverything({ store, capabilities }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  const uuid = (n: number) => `01932f3e-7c00-7a01-8b02-00000000000${n}`;
  const events: TestEvent[] = [
    { id: uuid(0), streamId: 'b', version: versionBase, data: 'null', time: 0n },
    { id: uuid(1), streamId: '\u{1F600} é\n"', version: versionBase, type: '\uFEFFTyp \t\\', time: -1n },
    { id: uuid(2), streamId: 'starts late', version: 1000, data: '"\u{1F600}"', time: -946_684_800_000_001n },
    { id: uuid(3), streamId: 'starts late', version: 5_000_000_000, time: 823_456_789_012_345n },
    { id: uuid(4), streamId: 'b', version: versionBase + 2, time: 823_456_789_012_000n },
    { id: 'ffffffff-ffff-ffff-ffff-ffffffffffff', streamId: 'a', version: versionBase, data: '[1, 2]' },
    {
      id: uuid(6),
      streamId: 'a',
      version: versionBase + 1,
      metadata: `{"deep": ${'['.repeat(90)}${']'.repeat(90)}}`,
    },
    { id: uuid(7), streamId: 'large', version: versionBase, data: JSON.stringify('z'.repeat(3_000_000)) },
  ];
  if (capabilities.keepsVersions === false) {
    await refuses(restoreInto(store, [makeBatch(events)]), 'value_not_storable', /starts late|"b"/);
    assert.deepEqual(await readAll(store), []);
    const next = new Map<string, number>();
    for (const [i, event] of events.entries()) {
      const version = next.get(String(event.streamId)) ?? versionBase;
      next.set(String(event.streamId), version + 1);
      events[i] = { ...event, version };
    }
  }
  await restoreInto(store, [makeBatch(events)]);
  assert.deepEqual(await readAll(store), expected(events));
}

async function restoresIntoNothing({ store, open: another }: StoreCase): Promise<void> {
  const events = manyEvents((await store.inspect()).versionBase, 30);
  const session = await open(store);
  assert.deepEqual(session.discarded, []);
  await load(session, [makeBatch(events)]);
  await session.publish();
  assert.equal((await another().inspect()).state, 'filled');
  assert.deepEqual(await readAll(another()), expected(events));
}

async function restoresNothing({ store }: StoreCase): Promise<void> {
  const session = await open(store);
  await load(session, []);
  assert.deepEqual(await collect(session.readSummaries()), []);
  await session.publish();
  assert.equal((await store.inspect()).state, 'empty');
  await store.append([{ streamId: 'a', events: numbered(1) }]);
}

async function travels({ store, openElsewhere, capabilities }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  await restoreInto(
    store,
    [makeBatch(manyEvents(versionBase, 500))],
    checkpoints(capabilities, 'first', 'second'),
  );
  const copy = await openElsewhere();
  const snapshot = await store.openSnapshot();
  const session = await open(copy);
  const writer = await session.openWriter();
  for (const range of await snapshot.planRanges(3)) {
    for await (const batch of snapshot.readRange(range, { batchBytes: 8192 })) await writer.write(batch);
  }
  await writer.end();
  for await (const row of snapshot.readCompanions()) assert.equal(await session.writeCompanion(row), true);
  await snapshot.close();
  await session.finishLoad();
  await session.publish();
  assert.deepEqual(await readAll(copy), await readAll(store));
  assert.deepEqual(byName(await readCompanions(copy)), byName(await readCompanions(store)));
}

async function takesBothIds({ store }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  const events = manyEvents(versionBase, 40);
  await restoreInto(store, [
    makeBatch(events.slice(0, 20), { idKind: 'uuid' }),
    makeBatch(events.slice(20), { idKind: 'text' }),
  ]);
  assert.deepEqual(await readAll(store), expected(events));
}

async function treatsTextIds({ store, capabilities }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  const events: TestEvent[] = [
    { streamId: 'a', version: versionBase },
    { id: 'order-17', streamId: 'a', version: versionBase + 1 },
  ];
  const batch = makeBatch(events, { idKind: 'text' });
  if (!capabilities.storesTextIds) {
    await refuses(restoreInto(store, [batch]), 'value_not_storable', /order-17/);
    assert.deepEqual(await readAll(store), []);
    return;
  }
  await restoreInto(store, [batch]);
  assert.deepEqual(await readAll(store), expected(events));
}

async function loadsWithSeveralWriters({ store, open: another }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  const events = manyEvents(versionBase, 6000);
  const session = await open(store);
  const parts = [events.slice(0, 2000), events.slice(2000, 4000), events.slice(4000)];
  for (const [i, part] of parts.entries()) {
    const joined = session.token !== null && i > 0;
    const writer = joined ? await another().joinRestore(session.token) : await session.openWriter();
    for (let at = 0; at < part.length; at += 300) await writer.write(makeBatch(part.slice(at, at + 300)));
    await writer.end();
  }
  await session.finishLoad();
  await session.publish();
  assert.deepEqual(await readAll(store), expected(events));
}

async function loadsAlone({ store }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  const events = manyEvents(versionBase, 6000);
  const given = await open(store);
  const lost = await given.openWriter({ alone: true });
  await lost.write(makeBatch(events));
  await lost.abort();
  await given.discard();
  const session = await open(store);
  const writer = await session.openWriter({ alone: true });
  for (let at = 0; at < events.length; at += 300) await writer.write(makeBatch(events.slice(at, at + 300)));
  await writer.end();
  await session.finishLoad();
  await session.publish();
  assert.deepEqual(await readAll(store), expected(events));
}

async function abortsWriter({ store }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  const kept = manyEvents(versionBase, 20);
  const session = await open(store);
  const first = await session.openWriter();
  await first.write(makeBatch(kept));
  await first.end();
  const second = await session.openWriter();
  await second.write(makeBatch([{ streamId: 'given up', version: versionBase }]));
  await second.abort();
  await second.abort();
  await session.finishLoad();
  await session.publish();
  assert.deepEqual(await readAll(store), expected(kept));
}

async function sumsUp({ store, capabilities }: StoreCase): Promise<void> {
  const events: TestEvent[] = [
    ...manyEvents(1, 40),
    { streamId: '\u{1F600}', version: 7 },
    { streamId: '\uFFFD', version: 3 },
    { id: '01932f3e-7c00-7a01-8b02-ffffffffffff', streamId: '\uFFFD', version: 9 },
    { id: '01932f3e-7c00-7a01-8b02-eeeeeeeeeeee', streamId: '\uFFFD', version: 4 },
    { id: '01932f3e-7c00-7a01-8b02-dddddddddddd', streamId: 'below', version: -1 },
    { id: '01932f3e-7c00-7a01-8b02-cccccccccccc', streamId: 'below', version: 0 },
    { id: 'ffffffff-7c00-7a01-8b02-bbbbbbbbbbbb', streamId: 'below', version: -2 },
    { id: 'ffffffff-7c00-7a01-8b02-aaaaaaaaaaaa', streamId: 'far', version: 255 },
    { id: '01932f3e-7c00-7a01-8b02-999999999999', streamId: 'far', version: 2 ** 53 - 1 },
  ].map(completeEvent);
  if (capabilities.keepsVersions === false) events.splice(40);
  const session = await open(store);
  await load(session, [makeBatch(events)]);
  assert.deepEqual(await collect(session.readSummaries()), summariesOf(events));
  await session.discard();
}

function summariesOf(events: readonly TestEvent[]): StreamSummary[] {
  const names = [...new Set(events.map((event) => String(event.streamId)))].sort(compareUtf8);
  return names.map((streamId) => {
    const own = inOrder(events.filter((event) => event.streamId === streamId));
    const last = own.at(-1)!;
    return {
      streamId,
      events: own.length,
      firstVersion: own[0]!.version,
      lastVersion: last.version,
      lastEventId: String(last.id),
    };
  });
}

async function hidesUntilPublished({ store, open: another, capabilities }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  await store.initialise();
  await store.append([{ streamId: 'old', events: numbered(2) }]);
  const before = await readAll(store);
  const watcher = another();
  const unchanged = async (): Promise<void> => {
    assert.deepEqual(await watcher.count(), { events: 2, streams: 1 });
    assert.deepEqual(await readAll(watcher), before);
    assert.deepEqual(await readCheckpoints(watcher), []);
  };
  const session = await open(store, true);
  await unchanged();
  const events = manyEvents(versionBase, 300);
  await load(session, [makeBatch(events)], checkpoints(capabilities, 'reader'));
  await unchanged();
  await collect(session.readSummaries());
  await unchanged();
  await session.publish();
  assert.deepEqual(await readAll(watcher), expected(events));
  assert.equal((await readCheckpoints(watcher)).length, checkpoints(capabilities, 'reader').length);
}

async function discards({ store, open: another, capabilities }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  const attempt = async (replace: boolean): Promise<void> => {
    const session = await open(store, replace);
    await load(session, [makeBatch(manyEvents(versionBase, 100))], checkpoints(capabilities, 'reader'));
    await session.discard();
  };
  await attempt(false);
  assert.equal((await another().inspect()).state, 'missing');
  await store.initialise();
  await attempt(false);
  assert.equal((await another().inspect()).state, 'empty');
  await store.append([{ streamId: 'kept', events: numbered(3) }]);
  const before = await readAll(store);
  await attempt(true);
  assert.deepEqual(await readAll(another()), before);
  assert.deepEqual(await readCheckpoints(store), []);
  await store.append([{ streamId: 'kept', events: numbered(1) }]);
  assert.deepEqual(await store.count(), { events: 4, streams: 1 });
}

async function discardsSafely({ store }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  const half = await open(store);
  const writer = await half.openWriter();
  await writer.write(makeBatch(manyEvents(versionBase, 50)));
  await half.discard();
  await half.discard();
  await writer.abort();
  const session = await open(store);
  await load(session, [makeBatch(manyEvents(versionBase, 50))]);
  await session.publish();
  await session.discard();
  assert.equal((await store.count()).events, 50);
}

async function refusesEvents({ store, open: another }: StoreCase): Promise<void> {
  await store.initialise();
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  await refuses(open(another()), 'target_not_empty');
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  assert.deepEqual(await store.count(), { events: 2, streams: 1 });
}

async function refusesCheckpoints({ store }: StoreCase): Promise<void> {
  await restoreInto(store, [], [checkpoint('reader')]);
  assert.equal((await store.count()).events, 0);
  await refuses(open(store), 'target_not_empty');
  assert.equal((await readCompanions(store)).length, 1);
}

async function replaces({ store, capabilities }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  await restoreInto(store, [makeBatch(manyEvents(versionBase, 200))], checkpoints(capabilities, 'old'));
  const events = manyEvents(versionBase, 50, 100);
  const session = await open(store, true);
  await load(session, [makeBatch(events)], checkpoints(capabilities, 'new'));
  await session.publish();
  assert.deepEqual(await readAll(store), expected(events));
  const rows = await readCheckpoints(store);
  assert.deepEqual(
    rows.map(({ values }) => values.subscription_name),
    checkpoints(capabilities, 'new').map(({ values }) => values.subscription_name),
  );
}

async function refusesSecond({ store, open: another }: StoreCase): Promise<void> {
  const { versionBase } = await store.inspect();
  await store.initialise();
  const first = await open(store);
  await refuses(open(another()), ['lease_held', 'store_refused']);
  const events = manyEvents(versionBase, 30);
  await load(first, [makeBatch(events)]);
  await first.publish();
  assert.deepEqual(await readAll(store), expected(events));
}

async function refusesDuplicates({ store }: StoreCase): Promise<void> {
  const id = '01932f3e-7c00-7a01-8b02-aaaaaaaaaaaa';
  const sameId: TestEvent[] = [
    { id, streamId: 'a', version: 1 },
    { id, streamId: 'b', version: 1 },
  ];
  const sameVersion: TestEvent[] = [
    { streamId: 'twice', version: 4 },
    { id, streamId: 'twice', version: 4 },
  ];
  await refuses(restoreInto(store, [makeBatch(sameId)]), 'value_not_storable', /aaaaaaaaaaaa/);
  await refuses(restoreInto(store, [makeBatch(sameVersion)]), 'value_not_storable', /twice/);
  assert.deepEqual(await store.count(), { events: 0, streams: 0 });
}

async function appendsGoOn({ store }: StoreCase): Promise<void> {
  const base = BigInt((await store.inspect()).versionBase);
  await restoreInto(store, [makeBatch(manyEvents(Number(base), 130))]);
  const head = base + 9n;
  await refuses(
    store.append([{ streamId: 'stream-0', expectedVersion: head - 1n, events: numbered(1) }]),
    'version_conflict',
  );
  await store.append([{ streamId: 'stream-0', expectedVersion: head, events: numbered(2) }]);
  const { heads } = await store.append([
    { streamId: 'stream-1', events: numbered(1) },
    { streamId: 'new', events: numbered(1) },
  ]);
  assert.deepEqual([heads.get('stream-1'), heads.get('new')], [head + 1n, base]);
  const versions = (await store.readStream('stream-0')).map((event) => event.version - base);
  assert.deepEqual(
    versions,
    Array.from({ length: 12 }, (_, i) => BigInt(i)),
  );
}

async function restoresCheckpoints({ store }: StoreCase): Promise<void> {
  await restoreInto(
    store,
    [],
    [checkpoint('one'), checkpoint('two \u{1F600}', 'ffffffff-ffff-7fff-bfff-ffffffffffff')],
  );
  const rows = byName(await readCompanions(store));
  assert.deepEqual(
    rows.map(({ table, role, values }) => [table, role, values.subscription_name, values.last_position]),
    [
      [CHECKPOINTS, 'checkpoints', 'one', '01932f3e-7c00-7a01-8b02-0123456789ab'],
      [CHECKPOINTS, 'checkpoints', 'two \u{1F600}', 'ffffffff-ffff-7fff-bfff-ffffffffffff'],
    ],
  );
  for (const row of rows) {
    assert.deepEqual(Object.keys(row.values).slice(0, 2), ['subscription_name', 'last_position']);
    assert.match(String(row.values.updated_at), /^2026-02-28[T ]12:00:00\.123/);
  }
}

async function refusesUnknownCompanions({ store }: StoreCase): Promise<void> {
  const session = await open(store);
  const { values } = checkpoint('a');
  for (const row of [
    { table: 'no_such_table', role: 'checkpoints', values },
    { table: 'eventcore_events', role: 'snapshots', values },
    { table: CHECKPOINTS, role: 'checkpoints', values: { ...values, another_column: '1' } },
    { table: CHECKPOINTS, role: 'checkpoints', values: { name: 'a' } },
  ] as const) {
    assert.equal(await session.writeCompanion(row), false);
  }
  await session.discard();
}

function byName(rows: readonly CompanionRow[]): CompanionRow[] {
  return [...rows].sort((a, b) =>
    compareUtf8(String(a.values.subscription_name), String(b.values.subscription_name)),
  );
}
