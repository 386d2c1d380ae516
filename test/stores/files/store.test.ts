import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openFilesStore } from '../../../src/stores/files/store.ts';
import { eventStoreContract } from '../../../src/testing/event-store-contract.ts';

eventStoreContract({
  name: 'eventcore-fs',
  capabilities: {
    ...{ keepsJsonText: false, storesNul: true, storesTextIds: false, answersSql: false },
    ...{ keepsVersions: false, keepsCheckpoints: false, changesInPlace: false, hasFeed: false },
  },
  setup: async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'eventcore-fs-'));
    return {
      open: () => openFilesStore(`eventcore-fs:${path.join(folder, 'store')}?fsync=none`),
      cleanup: async () => rmSync(folder, { recursive: true }),
    };
  },
});
