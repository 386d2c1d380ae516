import assert from 'node:assert/strict';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { chainTotals, requireChain } from '../../src/format/chain.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { idsOf } from './log-model.ts';
import { testClock, verifyAll } from './memory-backup.ts';

/** Every backup of a vault verifies, and can be restored. */
export async function assertAllRestore(vault: Vault): Promise<void> {
  const checked = await verifyAll(vault);
  assert.ok(
    checked.every(({ overallValid }) => overallValid),
    JSON.stringify(checked),
  );
  const catalog = await readCatalog(vault);
  for (const entry of catalog.backups) {
    const chain = requireChain(catalog, entry);
    const store = memoryStore();
    const options = { replace: false, checkpoints: 'keep', parallel: 1 } as const;
    await restoreBackup({ target: store, vault, clock: testClock }, chain, options);
    assert.equal((await idsOf(store)).length, chainTotals(entry.manifest).totalEvents);
  }
}
