import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import { eventStoreContract } from '../../../src/testing/event-store-contract.ts';

eventStoreContract({
  name: 'SQLite',
  capabilities: { keepsJsonText: true, storesNul: true, storesTextIds: true, answersSql: true },
  setup: async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'eventcore-sqlite-'));
    return {
      open: () => openSqliteStore(`sqlite:${path.join(folder, 'events.db')}`),
      cleanup: async () => rmSync(folder, { recursive: true }),
    };
  },
});
