import { randomUUID } from 'node:crypto';
import type { DrillTarget } from '../../core/drill-target.ts';
import { isBackupError } from '../../core/errors.ts';
import type { Vault } from '../../core/vault.ts';
import type { Chain } from '../../format/chain.ts';
import { digestStore } from '../../integrity/store-digest.ts';
import { restoreBackup } from '../../recovery/restore.ts';
import { clearBelow, vaultBelow } from '../../vaults/wrappers/below.ts';
import type { DrillContext, DrillTest, TestOutcome } from '../context.ts';
import { proofFailed } from '../points.ts';
import { withTarget } from '../restored.ts';
import { SCRATCH_PREFIX } from '../scratch.ts';
import { backUpTestStore, TEST_EVENTS, writeTestEvents } from '../test-backup.ts';

/**
 * Backs up a store of its own, full and incrementally, into a folder of the real vault: with its rights, its keys and its formats, and
 * where no command takes it for a backup. What was backed up is restored and must be the same.
 */
export const BACKUP_CREATION: DrillTest = {
  name: 'backup_creation',
  run: async (given) => {
    const context = { ...given, settings: { ...given.settings, cleanup: true } };
    const { vault, writers } = context;
    const prefix = `${SCRATCH_PREFIX}${writers.self}-${randomUUID()}/`;
    try {
      return await createAndRestore(context, vaultBelow(vault, prefix));
    } finally {
      const kept = await clearBelow(vault, prefix).catch((error) => {
        if (!isBackupError(error)) throw error;
        return 1;
      });
      if (kept > 0) context.note(`the vault keeps objects of the test backup under ${prefix} for now`);
    }
  },
};

async function createAndRestore(context: DrillContext, scratch: Vault): Promise<TestOutcome> {
  return withTarget(context, async (source) => {
    await context.step('write test events', async (facts) => {
      await source.store.initialise();
      await writeTestEvents(source.store, TEST_EVENTS, context.random);
      facts.events = (await source.store.count()).events;
    });
    const chain = await context.step('back up, full and incremental', async (facts) => {
      const taken = await backUpTestStore(context, source.store, scratch, context.keys);
      const sizeBytes = taken.reduce((sum, { manifest }) => sum + manifest.sizeBytes, 0);
      Object.assign(facts, { backups: taken.length, sizeBytes, sealed: taken[0]!.manifest.sealed });
      return taken;
    });
    if (chain[0]!.manifest.sealed && !context.keys.ring.canOpen) {
      context.note(
        'backup_creation: this host cannot open what it seals, so the test backup was not restored',
      );
      return null;
    }
    await withTarget(context, (target) => restoreAndCompare(context, { scratch, chain, source, target }));
    return null;
  });
}

interface RoundTrip {
  readonly scratch: Vault;
  readonly chain: Chain;
  readonly source: DrillTarget;
  readonly target: DrillTarget;
}

async function restoreAndCompare(
  { step, clock, signal }: DrillContext,
  { scratch, chain, source, target }: RoundTrip,
): Promise<void> {
  await step('restore and compare', async (facts) => {
    const ports = { target: target.store, vault: scratch, clock };
    await restoreBackup(ports, chain, { replace: false, checkpoints: 'keep', parallel: 1, signal });
    const [was, is] = [await digestStore(source.store), await digestStore(target.store)];
    facts.events = is.events;
    if (is.digest !== was.digest) throw proofFailed('the test backup does not restore what was backed up');
  });
}
