import assert from 'node:assert/strict';
import type { EventStore } from '../../core/event-store.ts';
import type { PutBackCounts } from '../../core/repair.ts';
import { completeEvent, makeBatch, type TestEvent } from '../batches.ts';
import { type ContractCase, numbered, refuses, type StoreCase } from './fixture.ts';
import { inOrder, readAll, restoreInto } from './restoring.ts';

export const REPAIR_CASES: readonly ContractCase[] = [
  ['a repair puts changed events back with every field, and touches no other', putsBack],
  ['a repair finds events without the indexes of the store', findsWithoutIndexes],
  ['a repair puts two events back that were exchanged', putsBackExchanged],
  ['a repair finds an event by its id in another stream and at another version', findsMoved],
  ['a repair takes what is alike in all but the id for the event', findsRenamed],
  ['a repair adds nothing that is not there, and says so', addsNothing],
  ['a repair refuses to overwrite another event, changes nothing of that batch, and goes on', refusesOthers],
  ['a repair takes the same content under another id at another time for another event', refusesRetries],
  [
    'a repair that is discarded leaves the store as it was, and nobody sees one that is not published',
    discards,
  ],
  ['only one repair of a store goes on at a time', excludesOthers],
  ['a repair of a place with no store is refused', refusesNoStore],
  ['appends go on behind what a repair put back', appendsGoOn],
];

/** Events of a stream, with ids that follow from its name and the version. */
function history(streamId: string, base: number, count: number): Required<TestEvent>[] {
  return Array.from({ length: count }, (_, i) => {
    const name = [...streamId].reduce((sum, sign) => (sum * 31 + sign.charCodeAt(0)) % 0xffff_ffff, 7);
    const id = `01932f3e-7c00-7a01-8b02-${name.toString(16).padStart(8, '0')}${i.toString(16).padStart(4, '0')}`;
    const time = 823_000_000_000_000n + BigInt(i) * 1_000_003n;
    return completeEvent({ id, streamId, version: base + i, type: 'Repaired', data: `{"i": ${i}}`, time }, i);
  });
}

interface Case {
  readonly store: EventStore;
  readonly base: number;
  readonly sound: Required<TestEvent>[];
}

/** A store that holds what `damage` makes of ten events of a stream, and an event of another one. */
async function damaged(
  { store }: StoreCase,
  damage: (sound: Required<TestEvent>[]) => readonly TestEvent[],
): Promise<Case> {
  const { versionBase: base } = await store.inspect();
  const sound = history('a', base, 10);
  await restoreInto(store, [makeBatch([...damage(sound), ...history('other', base, 1)])]);
  return { store, base, sound };
}

async function repair(
  store: EventStore,
  events: readonly TestEvent[],
  withoutIndexes = false,
): Promise<PutBackCounts> {
  const session = await store.openRepair({ repairId: crypto.randomUUID(), withoutIndexes });
  try {
    const counts = await session.putBack(makeBatch(events), 'to test it');
    await session.publish();
    return counts;
  } finally {
    await session.discard();
  }
}

async function assertSound({ store, base, sound }: Case): Promise<void> {
  assert.deepEqual(await readAll(store), inOrder([...sound, ...history('other', base, 1)]));
}

const changeThree = (sound: Required<TestEvent>[]): TestEvent[] =>
  sound.map((event, i) => {
    if (i === 3) return { ...event, data: '{"i": 33}', metadata: '{"by": "nobody"}' };
    if (i === 5) return { ...event, type: 'Broken' };
    return i === 7 ? { ...event, time: event.time + 1n } : event;
  });

async function putsBack(context: StoreCase): Promise<void> {
  const found = await damaged(context, changeThree);
  assert.deepEqual(await repair(found.store, found.sound), { changed: 3, removed: 0, absent: 0 });
  await assertSound(found);
  assert.deepEqual(await repair(found.store, found.sound), { changed: 0, removed: 0, absent: 0 });
}

async function findsWithoutIndexes(context: StoreCase): Promise<void> {
  const found = await damaged(context, changeThree);
  assert.deepEqual(await repair(found.store, found.sound, true), { changed: 3, removed: 0, absent: 0 });
  await assertSound(found);
}

async function putsBackExchanged(context: StoreCase): Promise<void> {
  const found = await damaged(context, (sound) =>
    sound.map((event, i) => (i < 2 ? { ...event, version: sound[1 - i]!.version } : event)),
  );
  assert.deepEqual(await repair(found.store, found.sound), { changed: 2, removed: 0, absent: 0 });
  await assertSound(found);
}

async function findsMoved(context: StoreCase): Promise<void> {
  const found = await damaged(context, (sound) =>
    sound.map((event, i) => {
      if (i === 2) return { ...event, streamId: 'b' };
      return i === 9 ? { ...event, version: event.version + 100 } : event;
    }),
  );
  assert.deepEqual(await repair(found.store, found.sound), { changed: 2, removed: 0, absent: 0 });
  await assertSound(found);
}

const OTHER_ID = '01932f3e-7c00-7a01-8b02-ffffffffffff';

async function findsRenamed(context: StoreCase): Promise<void> {
  const found = await damaged(context, (sound) =>
    sound.map((event, i) => (i === 4 ? { ...event, id: OTHER_ID } : event)),
  );
  assert.deepEqual(await repair(found.store, found.sound), { changed: 1, removed: 0, absent: 0 });
  await assertSound(found);
}

async function addsNothing(context: StoreCase): Promise<void> {
  const found = await damaged(context, (sound) => changeThree(sound).slice(0, 6));
  assert.deepEqual(await repair(found.store, found.sound), { changed: 2, removed: 0, absent: 4 });
  await assertSound({ ...found, sound: found.sound.slice(0, 6) });
}

async function refusesOthers(context: StoreCase): Promise<void> {
  const foreign = { id: OTHER_ID, data: '{"mine": true}' };
  const found = await damaged(context, (sound) =>
    changeThree(sound).map((event, i) => (i === 8 ? { ...event, ...foreign } : event)),
  );
  const { store, sound, base } = found;
  const session = await store.openRepair({ repairId: crypto.randomUUID() });
  await refuses(
    session.putBack(makeBatch(sound), 'to test it'),
    'store_diverged',
    new RegExp(`version ${base + 8} `),
  );
  const rest = sound.filter((_, i) => i !== 3 && i !== 8);
  assert.equal((await session.putBack(makeBatch(rest), 'to test it')).changed, 2);
  await session.publish();
  await session.discard();
  const left = sound.map((event, i) => {
    if (i === 8) return { ...event, ...foreign };
    return i === 3 ? { ...event, ...(changeThree(sound)[3] as object) } : event;
  });
  await assertSound({ ...found, sound: left });
}

async function refusesRetries(context: StoreCase): Promise<void> {
  const found = await damaged(context, (sound) =>
    sound.map((event, i) => (i === 4 ? { ...event, id: OTHER_ID, time: event.time + 5_000_000n } : event)),
  );
  await refuses(repair(found.store, found.sound), 'store_diverged');
}

async function discards(context: StoreCase): Promise<void> {
  const { store, sound, base } = await damaged(context, changeThree);
  const before = await readAll(store);
  const session = await store.openRepair({ repairId: crypto.randomUUID() });
  await session.putBack(makeBatch(sound), 'to test it');
  assert.deepEqual(await readAll(context.open()), before);
  await session.discard();
  await session.discard();
  assert.deepEqual(await readAll(store), before);
  assert.equal(before.length, sound.length + history('other', base, 1).length);
}

async function excludesOthers(context: StoreCase): Promise<void> {
  const found = await damaged(context, changeThree);
  const session = await found.store.openRepair({ repairId: crypto.randomUUID() });
  await session.putBack(makeBatch(found.sound), 'to test it');
  await refuses(context.open().openRepair({ repairId: crypto.randomUUID() }), 'lease_held');
  await session.publish();
  await session.discard();
  assert.deepEqual(await repair(found.store, found.sound), { changed: 0, removed: 0, absent: 0 });
  await assertSound(found);
}

async function refusesNoStore({ store }: StoreCase): Promise<void> {
  await refuses(store.openRepair({ repairId: crypto.randomUUID() }), 'not_an_event_store');
  assert.equal((await store.inspect()).state, 'missing');
}

async function appendsGoOn(context: StoreCase): Promise<void> {
  const { store, sound, base } = await damaged(context, changeThree);
  await repair(store, sound);
  const events = numbered(2);
  const { heads } = await store.append([{ streamId: 'a', events, expectedVersion: BigInt(base + 9) }]);
  assert.equal(heads.get('a'), BigInt(base + 11));
}
