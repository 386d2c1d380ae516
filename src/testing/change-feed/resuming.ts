import assert from 'node:assert/strict';
import { numbered, refuses } from '../event-store/fixture.ts';
import { inOrder, readAll } from '../event-store/restoring.ts';
import type { FeedCase, FeedContractCase } from './fixture.ts';
import { eventsOf, follow, READ, resumption } from './following.ts';

export const RESUMING_CASES: readonly FeedContractCase[] = [
  ['a feed that goes on where the log ends gives nothing twice and leaves nothing out', goesOn],
  ['what was read and not acknowledged comes again', givesAgain],
  ['a log that ends later than was acknowledged is gone on with at its end', goesOnUnacknowledged],
  ['a log without events is gone on with', goesOnEmpty],
  ['the end of an idle batch is as good to go on from as any', goesOnIdle],
  ['a feed that is begun and given up ten times over loses nothing', survivesRestarts],
  ['a log of another source is not gone on with', refusesOtherSource],
  ['each feed of a log has the same source', keepsSource],
];

async function goesOn({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const first = await follow(store);
  await store.append([{ streamId: 'a', events: numbered(3) }]);
  const to = await first.until(3);
  await first.feed.acknowledge(to);
  await first.stop();
  await store.append([{ streamId: 'a', events: numbered(2, 4) }]);
  const second = await follow(store, resumption(first.seen, first.feed.source, to));
  await store.append([{ streamId: 'b', events: numbered(1, 6) }]);
  await second.until(3);
  const all = [...eventsOf(first.seen), ...eventsOf(second.seen)];
  assert.deepEqual(inOrder(all), await readAll(store));
  await second.stop();
}

async function givesAgain({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const first = await follow(store);
  await store.append([{ streamId: 'a', events: numbered(2) }]);
  const to = await first.until(2);
  await first.feed.acknowledge(to);
  const kept = resumption(first.seen, first.feed.source, to);
  await store.append([{ streamId: 'a', events: numbered(3, 3) }]);
  await first.until(5);
  await first.stop();
  const second = await follow(store, kept);
  await second.until(3);
  assert.deepEqual(eventsOf(second.seen), eventsOf(first.seen).slice(2));
  await second.stop();
}

async function goesOnUnacknowledged({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const first = await follow(store);
  await store.append([{ streamId: 'a', events: numbered(2) }]);
  const to = await first.until(2);
  await first.stop();
  await store.append([{ streamId: 'a', events: numbered(1, 3) }]);
  const second = await follow(store, resumption(first.seen, first.feed.source, to));
  await second.until(1);
  assert.deepEqual(inOrder([...eventsOf(first.seen), ...eventsOf(second.seen)]), await readAll(store));
  await second.stop();
}

async function goesOnEmpty({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const first = await follow(store);
  const { source, from } = first.feed;
  await first.stop();
  await store.append([{ streamId: 'a', events: numbered(2) }]);
  const second = await follow(store, { resumeAt: from, source, lastEventId: null });
  await second.until(2);
  assert.deepEqual(eventsOf(second.seen), await readAll(store));
  await second.stop();
}

async function goesOnIdle({ store }: FeedCase): Promise<void> {
  await store.initialise();
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  const first = await follow(store);
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  await first.until(1);
  const { to } = (await first.next())!;
  await first.stop();
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  const second = await follow(store, resumption(first.seen, first.feed.source, to!));
  await second.until(1);
  assert.equal(eventsOf(second.seen)[0]!.version, eventsOf(first.seen)[0]!.version + 1);
  await second.stop();
}

async function survivesRestarts({ store, open }: FeedCase): Promise<void> {
  await store.initialise();
  const writer = open();
  const begun = await follow(store);
  const { source, from } = begun.feed;
  await begun.stop();
  let log = resumption(begun.seen, source, from);
  const events = [];
  for (let round = 0; round < 10; round += 1) {
    await writer.append([{ streamId: 'a', events: numbered(3) }]);
    const following = await follow(store, log, { ...READ, lingerMs: 1 });
    await writer.append([{ streamId: 'b', events: numbered(2) }]);
    // Every other time all is read, and given up without a word: it was not kept, and has to come again.
    const isKept = round % 2 === 1;
    const to = await following.until(isKept ? 10 : 5);
    if (isKept) {
      events.push(...eventsOf(following.seen));
      log = resumption(following.seen, source, to);
      await following.feed.acknowledge(to);
    }
    await following.stop();
  }
  assert.deepEqual(inOrder(events), await readAll(store));
}

async function refusesOtherSource({ store, openElsewhere }: FeedCase): Promise<void> {
  const other = await openElsewhere();
  for (const place of [store, other]) {
    await place.initialise();
    await place.append([{ streamId: 'a', events: numbered(1) }]);
  }
  const first = await follow(other);
  for (const place of [store, other]) await place.append([{ streamId: 'a', events: numbered(1, 2) }]);
  const to = await first.until(1);
  await first.stop();
  const log = resumption(first.seen, first.feed.source, to);
  await refuses(store.openFeed(log), 'feed_lost');
}

async function keepsSource({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const first = await follow(store);
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  const to = await first.until(1);
  await first.stop();
  const second = await follow(store, resumption(first.seen, first.feed.source, to));
  assert.deepEqual(second.feed.source, first.feed.source);
  assert.match(second.feed.source.systemIdentifier, /^\d{1,20}$/);
  assert.ok(Number.isSafeInteger(second.feed.source.timeline));
  await second.stop();
}
