import assert from 'node:assert/strict';
import { NEW_LOG } from '../../core/change-feed.ts';
import type { StreamAppend } from '../../core/event.ts';
import { timeFromUnixMs } from '../../core/time.ts';
import { numbered, refuses } from '../event-store/fixture.ts';
import { inOrder, readAll } from '../event-store/restoring.ts';
import type { FeedCase, FeedContractCase } from './fixture.ts';
import { eventsOf, follow, NEVER_MS, READ, type Seen } from './following.ts';

export const READING_CASES: readonly FeedContractCase[] = [
  ['a feed begins with what is committed after it was opened', beginsNow],
  ['events come in the order of their commits, as the store holds them', givesEvents],
  ['events of an empty store come too', beginsEmpty],
  ['an append to several streams comes as one, whole and in its order', keepsAppends],
  ['an append that was refused does not come', leavesOutRefused],
  ['of writers at the same time every append comes whole, once, in the order of each stream', followsWriters],
  ['a batch has about as many bytes as asked for, and a larger transaction is cut', boundsBatches],
  ['many small transactions fill a batch, which is given without lingering', fillsBatches],
  ['what came alone is given once it has lingered, not when the batch is full', lingers],
  ['while nothing comes there are batches that say so', idles],
  ['what was committed while nobody asked comes when somebody does', waits],
  ['the store tells where the next commit will stand', tellsPosition],
  ['the store counts what a feed has still to give', countsAhead],
  ['times of commits and batches are about now', tellsTime],
];

async function beginsNow({ store }: FeedCase): Promise<void> {
  await store.initialise();
  await store.append([{ streamId: 'before', events: numbered(3) }]);
  const following = await follow(store);
  await store.append([{ streamId: 'after', events: numbered(2) }]);
  await following.until(2);
  assert.deepEqual(shown(following.seen), ['after 1', 'after 2']);
  await following.stop();
}

async function givesEvents({ store, open }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store);
  const other = open();
  const streams = ['b', 'a', 'it\'s "odd" \u{1F600}', 'b', 'x'.repeat(1500), 'a'];
  for (const [i, streamId] of streams.entries()) {
    const event = { type: `Type\t${i}`, data: `{"text": "\u00e9\\n\\u20ac ${i}"}`, metadata: `{"n": ${i}}` };
    await (i % 2 === 0 ? store : other).append([{ streamId, events: [event, ...numbered(1, i)] }]);
  }
  await following.until(12);
  assert.deepEqual(
    following.seen.transactions.flatMap(({ events }) => events.map(({ streamId }) => streamId)),
    streams.flatMap((name) => [name, name]),
  );
  assert.deepEqual(inOrder(eventsOf(following.seen)), await readAll(store));
  await following.stop();
}

async function beginsEmpty({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store);
  await following.next();
  await store.append([{ streamId: 'first', events: numbered(1) }]);
  await following.until(1);
  assert.deepEqual(shown(following.seen), ['first 1']);
  await following.stop();
}

async function keepsAppends({ store, capabilities }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store);
  for (let i = 1; i <= 5; i += 1) await store.append(spread(i));
  await following.until(30);
  assert.deepEqual(
    shown(following.seen),
    [1, 2, 3, 4, 5].flatMap((i) => spreadShown(i, i)),
  );
  assertWhole(following.seen, 6, capabilities.tellsTransactions);
  await following.stop();
}

/** Six events in three streams, the middle one coming up twice. */
function spread(number: number): StreamAppend[] {
  return [
    { streamId: 'b', events: numbered(1, number) },
    { streamId: 'c', events: numbered(2, number) },
    { streamId: 'a', events: numbered(2, number) },
    { streamId: 'c', events: numbered(1, number) },
  ];
}

function spreadShown(round: number, b: number): string[] {
  const [a, c] = [2 * round, 3 * round];
  return [`b ${b}`, `c ${c - 2}`, `c ${c - 1}`, `a ${a - 1}`, `a ${a}`, `c ${c}`];
}

async function leavesOutRefused({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store);
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  const refused: StreamAppend[] = [
    { streamId: 'b', events: numbered(3) },
    { streamId: 'a', expectedVersion: 7n, events: numbered(1) },
  ];
  await refuses(store.append(refused), 'version_conflict');
  await store.append([{ streamId: 'b', events: numbered(1, 9) }]);
  await following.until(2);
  assert.deepEqual(shown(following.seen), ['a 1', 'b 1']);
  await following.stop();
}

async function followsWriters({ store, open, capabilities }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store, undefined, { ...READ, lingerMs: 1 });
  const writers = Array.from({ length: 4 }, (_, writer) => ({ store: open(), name: `writer ${writer}` }));
  const written = writers.map(async (writer) => {
    for (let i = 0; i < 20; i += 1) {
      await writer.store.append([
        { streamId: writer.name, events: numbered(2, i) },
        { streamId: 'shared', events: numbered(1, i) },
      ]);
    }
  });
  await Promise.all([following.until(240), ...written]);
  const events = eventsOf(following.seen);
  assert.deepEqual(inOrder(events), await readAll(store));
  for (const streamId of ['shared', ...writers.map(({ name }) => name)]) {
    const versions = events.filter((event) => event.streamId === streamId).map(({ version }) => version);
    assert.deepEqual(
      versions,
      Array.from(versions, (_, i) => i + versions[0]!),
      `versions of ${streamId}`,
    );
  }
  for (let row = 0; row < events.length; row += 3) {
    const [first, second, third] = events.slice(row, row + 3).map(({ streamId }) => streamId);
    assert.deepEqual([second, third], [first, 'shared'], 'an append lies together');
  }
  assertWhole(following.seen, 3, capabilities.tellsTransactions);
  await following.stop();
}

function assertWhole({ transactions }: Seen, size: number, exactly: boolean): void {
  for (const { events } of transactions) {
    const isWhole = exactly ? events.length === size : events.length % size === 0;
    assert.ok(isWhole, `a transaction of ${events.length} events where appends have ${size}`);
  }
}

const BATCH_BYTES = 65_536;
/** A batch may be this much larger than asked for. */
const TOLERANCE = 2;

function padded(count: number, first = 1): { type: string; data: string }[] {
  const padding = 'x'.repeat(1000);
  return numbered(count, first).map(({ type }, i) => ({
    type,
    data: `{"n": ${first + i}, "x": "${padding}"}`,
  }));
}

async function boundsBatches({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store, undefined, { ...READ, batchBytes: BATCH_BYTES });
  const appends = [1, 2, 3].map((i) => ({ streamId: `large ${i}`, events: padded(200) }));
  await store.append(appends);
  await store.append([{ streamId: 'small', events: numbered(1) }]);
  await following.until(601);
  const { batches } = following.seen;
  assert.ok(batches.length >= 600_000 / (BATCH_BYTES * TOLERANCE), `${batches.length} batches`);
  for (const { eventBytes } of batches)
    assert.ok(eventBytes <= BATCH_BYTES * TOLERANCE, `${eventBytes} bytes`);
  assert.ok(
    batches.filter(({ isOpen }) => isOpen).length >= batches.length / 2,
    'the transaction was not cut',
  );
  const expected = appends.flatMap(({ streamId }) => padded(200).map((_, i) => `${streamId} ${i + 1}`));
  assert.deepEqual(shown(following.seen), [...expected, 'small 1']);
  await following.stop();
}

async function fillsBatches({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const options = { batchBytes: BATCH_BYTES, lingerMs: NEVER_MS, idleMs: NEVER_MS };
  const following = await follow(store, undefined, options);
  for (let i = 0; i < 40; i += 1) await store.append([{ streamId: 'a', events: padded(5, i * 5) }]);
  const [first, second] = [await following.next(), await following.next()];
  for (const batch of [first, second]) {
    assert.ok(batch !== null && batch.eventBytes >= BATCH_BYTES / TOLERANCE, `${batch?.eventBytes} bytes`);
    assert.ok(batch.eventBytes <= BATCH_BYTES * TOLERANCE, `${batch.eventBytes} bytes`);
  }
  await following.stop();
}

async function lingers({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store, undefined, { ...READ, lingerMs: 100, idleMs: NEVER_MS });
  const first = following.next();
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  const batch = await first;
  assert.equal(batch?.events.length, 1);
  assert.ok(performance.now() - batch.beganAtMs >= 99, 'it was given before it had lingered');
  await following.stop();
}

async function idles({ store }: FeedCase): Promise<void> {
  await store.initialise();
  await store.append([{ streamId: 'before', events: numbered(1) }]);
  const following = await follow(store);
  const [first, second] = [await following.next(), await following.next()];
  for (const batch of [first, second]) {
    assert.deepEqual([batch?.events, batch?.commits, batch?.isOpen], [[], [], false]);
    assert.ok(batch!.to! >= following.feed.from);
  }
  assert.ok(second!.asOf > first!.asOf);
  await store.append([{ streamId: 'after', events: numbered(1) }]);
  await following.until(1);
  await following.stop();
}

async function waits({ store, open }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store);
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  await following.until(1);
  const other = open();
  for (let i = 0; i < 10; i += 1) await other.append([{ streamId: 'a', events: numbered(50) }]);
  await following.until(501);
  assert.deepEqual(
    eventsOf(following.seen).map(({ version }) => version),
    Array.from({ length: 501 }, (_, i) => i + eventsOf(following.seen)[0]!.version),
  );
  await following.stop();
}

async function tellsPosition({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store);
  await store.append([{ streamId: 'a', events: numbered(3) }]);
  await following.until(3);
  const position = (await store.feedState())?.position;
  assert.ok(position !== undefined, 'the store does not know how far its feed is');
  await store.append([{ streamId: 'b', events: numbered(1) }]);
  await following.until(4);
  const [before, after] = following.seen.transactions.map(({ commit }) => commit);
  assert.ok(before! < position && after! >= position, `${before} < ${position} <= ${after}`);
  await following.stop();
}

async function countsAhead({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const feed = await store.openFeed(NEW_LOG);
  const { source, from } = feed;
  const ahead = (place: bigint): Promise<number | null> =>
    store.countAhead({ source, from: place, withinMs: 10_000 });
  assert.equal(await ahead(from), 0);
  await store.append([
    { streamId: 'a', events: numbered(3) },
    { streamId: 'b', events: numbered(1) },
  ]);
  const between = (await store.feedState())!.position;
  await store.append([{ streamId: 'a', events: numbered(2) }]);
  assert.deepEqual([await ahead(from), await ahead(between)], [6, 2]);
  const end = (await store.feedState())!.position;
  assert.equal(await ahead(end), 0);
  await feed.close();
}

async function tellsTime({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store);
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  await following.until(1);
  const now = timeFromUnixMs(Date.now());
  const near = (time: bigint): boolean => time > now - 60_000_000n && time < now + 60_000_000n;
  const { batches, transactions } = following.seen;
  for (const { asOf } of batches) assert.ok(near(asOf), `asOf ${asOf}, now ${now}`);
  for (const { time } of transactions) assert.ok(near(time), `commit time ${time}, now ${now}`);
  await following.stop();
}

/** `stream version` of each event, with versions from 1. */
function shown(seen: Seen): string[] {
  const events = eventsOf(seen);
  const base = Math.min(...events.map(({ version }) => version));
  return events.map(({ streamId, version }) => `${streamId} ${version - base + 1}`);
}
