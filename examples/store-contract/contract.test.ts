/**
 * Holds a store to what it must keep, as docs/implementing-a-store.md tells: `node --test examples/store-contract/contract.test.ts`. Here it is the
 * store in memory; yours takes its place.
 */
import { memoryStore } from '../../src/index.ts'; // from 'eventcore-backup', outside of this repository
import { eventStoreContract } from '../../src/testing/index.ts'; // from 'eventcore-backup/testing'

eventStoreContract({
  name: 'the store in memory',
  capabilities: { keepsJsonText: true, storesNul: true, storesTextIds: true, answersSql: false },
  setup: async () => {
    // A place of its own for each case: a folder, a database, a table. Here it is the store itself.
    const place = memoryStore();
    return { open: () => place, cleanup: async () => {} };
  },
});
