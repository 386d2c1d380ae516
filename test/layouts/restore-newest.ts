import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { requireChain } from '../../src/format/chain.ts';
import type { CheckpointPolicy } from '../../src/recovery/checkpoints.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { testClock } from '../harness/memory-backup.ts';

/** Restores the newest backup, and closes the target. */
export async function restoreNewest(
  vault: Vault,
  target: EventStore,
  checkpoints: CheckpointPolicy = 'keep',
): Promise<void> {
  const catalog = await readCatalog(vault);
  const chain = requireChain(catalog, catalog.backups.at(-1)!);
  const options = { replace: false, checkpoints, parallel: 2 } as const;
  await restoreBackup({ target, vault, clock: testClock }, chain, options);
  await target.close();
}
