import assert from 'node:assert/strict';
import { NEW_LOG } from '../../core/change-feed.ts';
import { numbered, refuses } from '../event-store/fixture.ts';
import type { FeedCase, FeedContractCase } from './fixture.ts';
import { follow, NEVER_MS, READ } from './following.ts';

export const ENDING_CASES: readonly FeedContractCase[] = [
  ['a place without a store has no feed', refusesMissing],
  ['reading that is aborted ends as interrupted', aborts],
  ['reading that was aborted before it began ends as interrupted', abortsAtOnce],
  ['closing ends reading', closes],
  ['closing twice is harmless, and so is closing what was never read', closesTwice],
  ['closing the store ends its feeds', endsWithStore],
  ['a store may be told twice to keep nothing for a feed, and keeps nothing', dropsTwice],
];

async function refusesMissing({ store }: FeedCase): Promise<void> {
  await refuses(store.openFeed(NEW_LOG), 'not_an_event_store');
}

const SILENT = { ...READ, lingerMs: NEVER_MS, idleMs: NEVER_MS };

async function aborts({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const stop = new AbortController();
  const following = await follow(store, NEW_LOG, { ...SILENT, signal: stop.signal });
  const next = following.next();
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  setTimeout(() => stop.abort(), 50);
  await refuses(next, 'interrupted');
  await following.stop();
}

async function abortsAtOnce({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store, NEW_LOG, { ...SILENT, signal: AbortSignal.abort() });
  await refuses(following.next(), 'interrupted');
  await following.stop();
}

async function closes({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store, NEW_LOG, SILENT);
  const next = following.next();
  setTimeout(() => following.feed.close(), 50);
  assert.equal(await next, null);
}

async function closesTwice({ store }: FeedCase): Promise<void> {
  await store.initialise();
  const following = await follow(store);
  await following.next();
  await following.feed.close();
  await following.feed.close();
  assert.equal(await following.next(), null);
  const unread = await follow(store);
  await unread.feed.close();
  await unread.feed.close();
}

async function endsWithStore({ store, open }: FeedCase): Promise<void> {
  await store.initialise();
  const other = open();
  const following = await follow(other, NEW_LOG, SILENT);
  const next = following.next();
  await other.close();
  assert.equal(await next, null);
}

async function dropsTwice({ store }: FeedCase): Promise<void> {
  await store.initialise();
  await store.dropFeed();
  const following = await follow(store);
  await following.stop();
  await store.dropFeed();
  await store.dropFeed();
  const state = await store.feedState();
  assert.deepEqual([state?.acknowledged ?? null, state?.retainedBytes ?? null], [null, null]);
}
