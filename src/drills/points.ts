import type { DrillSelect } from '../core/drill.ts';
import { BackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { type Catalog, findBackup, newestBackup, readCatalog } from '../format/catalog.ts';
import { type Chain, followChain, isBroken, newestRestorePoint, requireChain } from '../format/chain.ts';
import { readLogCatalog } from '../format/log-catalog.ts';
import { openLogs } from '../format/log-keys.ts';
import { openChain, type ReadKeys } from '../format/open-bundle.ts';
import type { RecoverySources } from '../recovery/plan-recovery.ts';

/** What is restored: a backup with all that it builds on. */
export interface ChosenBackup {
  readonly backupId: string;
  readonly chain: Chain;
  /** Newer backups that cannot be used, and why. */
  readonly passedOver: readonly string[];
}

export interface PointWish {
  readonly select: DrillSelect;
  readonly backup: string | null;
  readonly random: () => number;
}

/**
 * The backup that a test restores, of those whose chains are whole, as a person would have it restored. Throws `no_backups`,
 * `backup_not_found`, or `damaged` when the one that is named, or all, cannot be used.
 */
export function chooseBackup(catalog: Catalog, vault: Vault, wish: PointWish): ChosenBackup {
  if (wish.backup !== null) {
    const chain = requireChain(catalog, findBackup(catalog, wish.backup));
    return { backupId: chain.at(-1)!.manifest.backupId, chain, passedOver: [] };
  }
  const { chain: newest, passedOver } = newestRestorePoint(catalog, vault.address);
  if (wish.select === 'newest') {
    const ids = passedOver.map(({ backupId, message }) => `${backupId}: ${message}`);
    return { backupId: newest.at(-1)!.manifest.backupId, chain: newest, passedOver: ids };
  }
  const whole = catalog.backups.flatMap((entry) => {
    const chain = followChain(catalog, entry);
    return isBroken(chain) ? [] : [chain];
  });
  const place = wish.select === 'oldest' ? 0 : Math.floor(wish.random() * whole.length);
  const chain = whole[place]!;
  return { backupId: chain.at(-1)!.manifest.backupId, chain, passedOver: [] };
}

/** The same backup with its keys. Throws as `openChain` does. */
export async function openChosen(vault: Vault, { chain }: ChosenBackup, keys: ReadKeys): Promise<Chain> {
  return openChain(vault, chain, keys, 'all');
}

/** What a recovery to a point is planned from. Throws `no_backups`. */
export async function readSources(vault: Vault, keys: ReadKeys): Promise<RecoverySources> {
  const catalog = await readCatalog(vault);
  newestBackup(catalog, vault.address);
  return { vault, catalog, timelines: openLogs(vault, await readLogCatalog(vault), keys) };
}

/** A failure of a test that is no failure of what it uses. */
export function proofFailed(message: string, hint: string | null = null): BackupError {
  return new BackupError('verification_failed', message, hint === null ? {} : { hint });
}
