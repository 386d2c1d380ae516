import { memoryStore } from '../../../src/stores/memory/store.ts';
import { eventStoreContract } from '../../../src/testing/event-store-contract.ts';

eventStoreContract({
  name: 'memory',
  capabilities: { keepsJsonText: true, storesNul: true, storesTextIds: true, answersSql: false },
  setup: async () => {
    const store = memoryStore();
    return { open: () => store, cleanup: async () => {} };
  },
});
