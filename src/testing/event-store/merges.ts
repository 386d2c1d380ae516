import assert from 'node:assert/strict';
import type { EventStore, MergedStream, MergeSession } from '../../core/event-store.ts';
import { completeEvent, makeBatch, type TestEvent } from '../batches.ts';
import { type ContractCase, collect, numbered, refuses, type StoreCase } from './fixture.ts';
import { inOrder, readAll, readCompanions, restoreInto } from './restoring.ts';

export const MERGE_CASES: readonly ContractCase[] = [
  ['a merge adds the missing tail of a stream and whole streams, with every id, version and time', adds],
  ['a merge fills a hole in the middle of a stream', fillsHoles],
  ['a merge says where the store has another event, and nothing is added without publishing', findsConflicts],
  ['a merge finds an event whose id the store has at another place', findsMovedIds],
  ['a merge leaves alone what the store has beyond the backup', leavesWhatIsAhead],
  ['a merge that is discarded, or only compares, leaves the store as it was', changesNothing],
  ['a merge of nothing adds nothing', mergesNothing],
  ['a merge into a place with no store is refused', refusesNoStore],
  ['appends go on behind the events that a merge added', appendsGoOn],
  ['what is appended while a merge goes on is neither lost nor overwritten', keepsConcurrentAppends],
];

/** Events of a stream, with ids that follow from stream and version. */
function history(streamId: string, first: number, last: number): Required<TestEvent>[] {
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const version = first + i;
    const name = [...streamId].reduce((sum, sign) => (sum * 31 + sign.charCodeAt(0)) % 0xffff_ffff, 7);
    return completeEvent(
      {
        id: `01932f3e-7c00-7a01-8b02-${name.toString(16).padStart(8, '0')}${version.toString(16).padStart(4, '0')}`,
        streamId,
        version,
        type: 'Merged',
        data: `{"version": ${version}}`,
        time: 823_000_000_000_000n + BigInt(version) * 1_000_003n,
      },
      version,
    );
  });
}

async function stage(
  store: EventStore,
  events: readonly TestEvent[],
  dryRun = false,
): Promise<{ session: MergeSession; streams: MergedStream[] }> {
  const session = await store.openMerge({ dryRun });
  const writer = await session.openWriter();
  for (let at = 0; at < events.length; at += 100) await writer.write(makeBatch(events.slice(at, at + 100)));
  await writer.end();
  return { session, streams: await collect(session.compare()) };
}

async function adds({ store }: StoreCase): Promise<void> {
  const { versionBase: base } = await store.inspect();
  const long = history('a', base, base + 249);
  const fresh = history('\u{1F600} new', base, base + 2);
  const other = history('other', base, base + 4);
  await restoreInto(store, [makeBatch([...long.slice(0, 100), ...other])]);
  const { session, streams } = await stage(store, [...long, ...fresh]);
  assert.deepEqual(streams, [
    {
      ...{ streamId: 'a', written: 250, missing: 150, firstMissing: base + 100, lastMissing: base + 249 },
      ...{ storeLast: base + 99, conflictAt: null },
    },
    {
      ...{ streamId: '\u{1F600} new', written: 3, missing: 3, firstMissing: base, lastMissing: base + 2 },
      ...{ storeLast: null, conflictAt: null },
    },
  ]);
  assert.equal(await session.publish(), 153);
  await session.discard();
  assert.deepEqual(await readAll(store), inOrder([...long, ...fresh, ...other]));
}

async function fillsHoles({ store }: StoreCase): Promise<void> {
  const { versionBase: base } = await store.inspect();
  const all = history('a', base, base + 9);
  await restoreInto(store, [makeBatch(all.filter((_, i) => i < 3 || i === 6))]);
  const { session, streams } = await stage(store, all);
  const [{ missing, firstMissing, lastMissing, storeLast, conflictAt }] = streams as [MergedStream];
  assert.deepEqual([missing, firstMissing, lastMissing], [6, base + 3, base + 9]);
  assert.deepEqual([storeLast, conflictAt], [base + 6, null]);
  assert.equal(await session.publish(), 6);
  await session.discard();
  assert.deepEqual(await readAll(store), all);
}

async function findsConflicts({ store }: StoreCase): Promise<void> {
  const { versionBase: base } = await store.inspect();
  const all = history('a', base, base + 5);
  const foreign = { ...all[2]!, id: '01932f3e-7c00-7a01-8b02-ffffffffffff' };
  const held = [all[0]!, all[1]!, foreign];
  await restoreInto(store, [makeBatch(held)]);
  const { session, streams } = await stage(store, [...all, ...history('b', base, base + 1)]);
  assert.deepEqual(
    streams.map(({ streamId, conflictAt }) => [streamId, conflictAt]),
    [
      ['a', base + 2],
      ['b', null],
    ],
  );
  await session.discard();
  assert.deepEqual(await readAll(store), held);
}

async function findsMovedIds({ store }: StoreCase): Promise<void> {
  const { versionBase: base } = await store.inspect();
  const all = history('a', base, base + 3);
  const moved = [all[0]!, { ...all[3]!, streamId: 'elsewhere', version: base }];
  await restoreInto(store, [makeBatch(moved)]);
  const { session, streams } = await stage(store, all);
  assert.deepEqual(
    streams.map(({ conflictAt }) => conflictAt),
    [base + 3],
  );
  await session.discard();
}

async function leavesWhatIsAhead({ store }: StoreCase): Promise<void> {
  const { versionBase: base } = await store.inspect();
  const all = history('a', base, base + 7);
  await restoreInto(store, [makeBatch(all)]);
  const { session, streams } = await stage(store, all.slice(0, 4));
  assert.deepEqual(
    streams.map(({ missing, storeLast, conflictAt }) => [missing, storeLast, conflictAt]),
    [[0, base + 7, null]],
  );
  assert.equal(await session.publish(), 0);
  await session.discard();
  assert.deepEqual(await readAll(store), all);
}

async function changesNothing({ store, open: another }: StoreCase): Promise<void> {
  const { versionBase: base } = await store.inspect();
  const all = history('a', base, base + 4);
  await restoreInto(store, [makeBatch(all.slice(0, 2))]);
  for (const dryRun of [true, false]) {
    const { session, streams } = await stage(store, all, dryRun);
    assert.equal(streams[0]?.missing, 3);
    assert.equal((await another().count()).events, 2, 'nobody sees what was written');
    await session.discard();
    await session.discard();
  }
  const given = await store.openMerge({ dryRun: false });
  const writer = await given.openWriter();
  await writer.write(makeBatch(all));
  await writer.abort();
  await given.discard();
  assert.deepEqual(await readAll(another()), all.slice(0, 2));
  await store.append([{ streamId: 'a', events: numbered(1), expectedVersion: BigInt(base + 1) }]);
}

async function mergesNothing({ store }: StoreCase): Promise<void> {
  await store.initialise();
  const { session, streams } = await stage(store, []);
  assert.deepEqual(streams, []);
  assert.equal(await session.publish(), 0);
  await session.discard();
  assert.deepEqual(await readCompanions(store), []);
}

async function refusesNoStore({ store }: StoreCase): Promise<void> {
  await refuses(store.openMerge({ dryRun: false }), 'not_an_event_store');
  assert.equal((await store.inspect()).state, 'missing');
}

async function appendsGoOn({ store }: StoreCase): Promise<void> {
  const { versionBase: base } = await store.inspect();
  const all = history('a', base, base + 4);
  await restoreInto(store, [makeBatch(all.slice(0, 2))]);
  const { session } = await stage(store, all);
  await session.publish();
  await session.discard();
  const { heads } = await store.append([
    { streamId: 'a', events: numbered(2), expectedVersion: BigInt(base + 4) },
  ]);
  assert.equal(heads.get('a'), BigInt(base + 6));
}

async function keepsConcurrentAppends({ store, open: another }: StoreCase): Promise<void> {
  const { versionBase: base } = await store.inspect();
  const all = history('a', base, base + 4);
  await restoreInto(store, [makeBatch(all.slice(0, 2))]);
  const { session } = await stage(store, all);
  // It waits, or is told to come again, or comes first: then the merge must notice.
  const appended = another()
    .append([{ streamId: 'a', events: numbered(1) }])
    .then(
      () => true,
      () => false,
    );
  const merged = await session.publish().then(
    () => true,
    (error) => refuses(Promise.reject(error), 'version_conflict').then(() => false),
  );
  await session.discard();
  const expected = (merged ? 5 : 2) + ((await appended) ? 1 : 0);
  const rows = await readAll(store);
  assert.deepEqual(
    rows.map(({ version }) => version),
    Array.from({ length: expected }, (_, i) => base + i),
  );
  assert.deepEqual(rows.slice(0, merged ? 5 : 2), merged ? all : all.slice(0, 2));
}
