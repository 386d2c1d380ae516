import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NEW_LOG } from '../../../src/core/change-feed.ts';
import { isBackupError } from '../../../src/core/errors.ts';
import { memoryStore } from '../../../src/stores/memory/store.ts';
import { follow } from '../../../src/testing/change-feed/following.ts';
import { changeFeedContract } from '../../../src/testing/change-feed-contract.ts';
import { numbered } from '../../../src/testing/event-store/fixture.ts';

changeFeedContract({
  name: 'memory',
  capabilities: {
    keepsJsonText: true,
    storesNul: true,
    storesTextIds: true,
    answersSql: false,
    tellsTransactions: true,
  },
  setup: async () => {
    const store = memoryStore();
    return { open: () => store, cleanup: async () => {} };
  },
});

test('a feed of a store that was emptied is lost, and a new log of it is another one', async () => {
  const store = memoryStore();
  await store.initialise();
  await store.append([{ streamId: 'a', events: numbered(3) }]);
  const following = await follow(store);
  await store.clear();
  await assert.rejects(following.next(), (error) => isBackupError(error, 'feed_lost'));
  const again = await store.openFeed(NEW_LOG);
  assert.notEqual(again.source.timeline, following.feed.source.timeline);
  await again.close();
});
