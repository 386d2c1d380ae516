import { memoryStore } from '../../../src/stores/memory/store.ts';
import { openShardsStore } from '../../../src/stores/shards/store.ts';
import { eventStoreContract } from '../../../src/testing/event-store-contract.ts';

eventStoreContract({
  name: 'a store of three shards',
  capabilities: {
    ...{ keepsJsonText: true, storesNul: true, storesTextIds: true, answersSql: false },
    ...{ keepsCheckpoints: false, changesInPlace: false, hasFeed: false, isOne: false },
  },
  setup: async () => {
    const shards = [memoryStore(), memoryStore(), memoryStore()];
    return {
      open: () => openShardsStore('shards:shop', shards, 'hash'),
      cleanup: async () => {},
    };
  },
});
