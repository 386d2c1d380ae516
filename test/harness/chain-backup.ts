import assert from 'node:assert/strict';
import { type ConsolidationOptions, consolidateChain } from '../../src/backup/consolidate.ts';
import type { FullBackupOptions } from '../../src/backup/full.ts';
import { type IncrementalReport, takeIncrementalBackup } from '../../src/backup/incremental.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { newestBackup, readCatalog } from '../../src/format/catalog.ts';
import { type Chain, requireChain } from '../../src/format/chain.ts';
import { verifyBackup } from '../../src/integrity/verify/backup.ts';
import { backupDefaults, testClock } from './memory-backup.ts';

/** The chain that ends with the newest backup of a vault. */
export async function newestChain(vault: Vault): Promise<Chain> {
  const catalog = await readCatalog(vault);
  return requireChain(catalog, newestBackup(catalog, vault.address));
}

/** Adds an incremental backup to the newest chain. */
export async function backUpChanges(
  store: EventStore,
  vault: Vault,
  options: Partial<FullBackupOptions> = {},
  clock: Clock = testClock,
): Promise<IncrementalReport> {
  const chain = await newestChain(vault);
  const outcome = await takeIncrementalBackup({ store, vault, clock }, chain, {
    ...backupDefaults,
    ...options,
  });
  assert.equal(outcome.kind, 'taken', JSON.stringify(outcome));
  return outcome.kind === 'taken' ? outcome.report : assert.fail();
}

/** Makes a full backup out of the newest chain, in the format of its newest backup, and verifies it. */
export async function consolidate(
  vault: Vault,
  options: Partial<ConsolidationOptions> = {},
  through: Vault = vault,
) {
  const chain = await newestChain(vault);
  const { format, compression, level } = chain.at(-1)!.manifest;
  return consolidateChain(
    {
      ...{ vault: through, clock: testClock },
      verify: (backup) =>
        verifyBackup({ vault: through, clock: testClock }, backup, { quick: false, parallel: 2 }),
    },
    chain,
    { ...{ format, compression, level, anyLevel: true, software: 'test' }, ...options },
  );
}
