import assert from 'node:assert/strict';
import type { Vault } from '../../src/core/vault.ts';
// By what a library gives, and nothing else.
import {
  digestStore,
  memoryStore,
  openChain,
  openLogs,
  planRecovery,
  type ReadKeys,
  type RecoveryTarget,
  readCatalog,
  readLogCatalog,
  restoreBackup,
} from '../../src/index.ts';
import { testClock } from './memory-backup.ts';

/** Brings a point back from a vault, sealed or not, with these keys. Gives the digest of its events. */
export async function recoverAs(vault: Vault, keys: ReadKeys, target: RecoveryTarget): Promise<string> {
  const timelines = openLogs(vault, await readLogCatalog(vault), keys);
  const recovery = await planRecovery({ vault, catalog: await readCatalog(vault), timelines }, target);
  const store = memoryStore();
  const options = { replace: false, checkpoints: 'keep', parallel: 1, recovery } as const;
  const chain = await openChain(vault, recovery.chain, keys, 'all');
  const report = await restoreBackup({ target: store, vault, clock: testClock }, chain, options);
  assert.equal(report.recovery?.epochRecord.problem ?? null, null);
  return (await digestStore(store)).digest;
}
