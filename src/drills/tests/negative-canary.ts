import { CANARY } from '../../core/drill.ts';
import { isBackupError } from '../../core/errors.ts';
import { NO_TRUST_POLICY } from '../../core/trust.ts';
import type { Vault } from '../../core/vault.ts';
import { BACKUPS_PREFIX } from '../../format/bundle.ts';
import { readCatalog } from '../../format/catalog.ts';
import { type Chain, newestRestorePoint } from '../../format/chain.ts';
import { writeObject } from '../../format/data-file-writer.ts';
import { openChain } from '../../format/open-bundle.ts';
import { verifyChains } from '../../integrity/verify/chains.ts';
import { restoreBackup } from '../../recovery/restore.ts';
import type { DrillContext, DrillTest, TestOutcome } from '../context.ts';
import { proofFailed } from '../points.ts';
import { withTarget } from '../restored.ts';
import { backUpTestStore, writeTestEvents } from '../test-backup.ts';

/**
 * A test that cannot fail proves nothing. So in each drill two copies of a backup are made, and one byte of one of them is flipped: what
 * verifies and restores the other must refuse it. Nothing of it touches the vault.
 */
export const NEGATIVE_CANARY: DrillTest = {
  name: CANARY,
  run: (context) => run(forItself(context)),
};

/** Nothing of it is kept; and who signs nothing cannot demand it of what he made himself. */
function forItself(context: DrillContext): DrillContext {
  const { keys, settings } = context;
  const trust = keys.signer === null ? NO_TRUST_POLICY : keys.trust;
  return { ...context, settings: { ...settings, cleanup: true }, keys: { ...keys, trust } };
}

const EVENTS = 200;

async function run(context: DrillContext): Promise<TestOutcome> {
  const original = context.scratchVault();
  const { ring, signer } = context.keys;
  // Where no key opens what is sealed here, only a plain one can be restored.
  const keys = { signer, ring: ring.canOpen ? ring : { ...ring, recipients: [] } };
  await withTarget(context, async ({ store }) => {
    await context.step('back up test events', async () => {
      await store.initialise();
      await writeTestEvents(store, EVENTS, context.random);
      await backUpTestStore(context, store, original, keys);
    });
  });
  const [sound, flipped] = [context.scratchVault(), context.scratchVault()];
  const where = await context.step('copy it, and flip a byte of one copy', async (facts) => {
    const place = await choosePlace(original, context.random);
    await copyAll(original, sound, null);
    await copyAll(original, flipped, place);
    facts.offset = place.offset;
    return place;
  });
  await context.step('the sound copy passes', async () => {
    if (!(await isSound(context, sound))) throw proofFailed('a sound copy of a backup does not verify');
    if (!(await restores(context, sound))) throw proofFailed('a sound copy of a backup does not restore');
  });
  await context.step('the other is refused', async () => {
    const at = `byte ${where.offset} of an event file`;
    if (await isSound(context, flipped)) throw proofFailed(`${at} was flipped, and verification passed`);
    if (await restores(context, flipped)) throw proofFailed(`${at} was flipped, and it was restored`);
  });
  return null;
}

interface Place {
  readonly name: string;
  readonly offset: number;
}

async function choosePlace(vault: Vault, random: () => number): Promise<Place> {
  const files: { name: string; sizeBytes: number }[] = [];
  for await (const info of vault.list(BACKUPS_PREFIX)) {
    if (/\/events-\d+(-[0-9a-f]+)?\.(?!index)/.test(info.name)) files.push(info);
  }
  const file = files[Math.floor(random() * files.length)]!;
  return { name: file.name, offset: Math.floor(random() * file.sizeBytes) };
}

async function copyAll(from: Vault, to: Vault, flip: Place | null): Promise<void> {
  for await (const { name, sizeBytes } of from.list('')) {
    const bytes = await from.readRange(name, 0, sizeBytes);
    if (name === flip?.name) bytes[flip.offset]! ^= 0x01;
    await writeObject(to, name, bytes);
  }
}

async function isSound({ clock, keys, signal }: DrillContext, vault: Vault): Promise<boolean> {
  const catalog = await readCatalog(vault);
  const options = { quick: false, parallel: 1, keys, trust: keys.trust, signal };
  const verified = await verifyChains({ vault, clock }, catalog, catalog.backups, options);
  return verified.every(({ verification }) => verification.overallValid);
}

/** Whether a store came of it. */
async function restores(context: DrillContext, vault: Vault): Promise<boolean> {
  const { clock, signal } = context;
  const chain = await chainOf(context, vault);
  return withTarget({ ...context, note: () => undefined }, async ({ store }) => {
    try {
      const ports = { target: store, vault, clock };
      await restoreBackup(ports, chain, { replace: false, checkpoints: 'keep', parallel: 1, signal });
      return true;
    } catch (error) {
      if (!isBackupError(error, 'damaged', 'verification_failed')) throw error;
      const { state } = await store.inspect();
      return state === 'filled';
    }
  });
}

async function chainOf({ keys }: DrillContext, vault: Vault): Promise<Chain> {
  const { chain } = newestRestorePoint(await readCatalog(vault), vault.address);
  return openChain(vault, chain, chain[0]!.manifest.sealed ? keys : null, 'all');
}
