import { isBackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { BACKUPS_PREFIX, MANIFEST_NAME } from '../format/bundle.ts';
import type { Catalog, CatalogEntry } from '../format/catalog.ts';
import { writeObject } from '../format/data-file-writer.ts';
import { readFreezes, readHolds } from '../format/keep-marks.ts';
import { decodeManifest, encodeManifest } from '../format/manifest-codec.ts';
import { coveredBy, hasEnded } from './holds.ts';

/** Watches what others do to a vault while something is removed from it. */
export interface Lookout {
  /** Why one of these must stay, by what came into the vault since it was listed; null when nothing speaks against it. */
  whyNeeded(entries: readonly CatalogEntry[]): Promise<string | null>;
  whyFrozen(): Promise<string | null>;
}

/**
 * Backups are taken without a lease, so one may come to build on what is about to go. Who removes looks once before, and once
 * again when the manifests are gone: who takes a backup looks for its parent's manifest when its own is written. So at least one
 * of the two sees the other.
 */
export function makeLookout(vault: Vault, catalog: Catalog, nowMs: number): Lookout {
  const known = new Set([...catalog.backups, ...catalog.damaged].map(({ folder }) => folder + MANIFEST_NAME));
  return {
    whyNeeded: async (entries) => {
      const ids = new Set(entries.map(({ manifest }) => manifest.backupId));
      return (await whyHeld(vault, catalog, ids, nowMs)) ?? whyBuiltOn(vault, known, ids);
    },
    whyFrozen: async () => (await readFreezes(vault))[0]?.reason ?? null,
  };
}

async function whyHeld(
  vault: Vault,
  catalog: Catalog,
  ids: ReadonlySet<string>,
  nowMs: number,
): Promise<string | null> {
  for (const hold of await readHolds(vault)) {
    if (hasEnded(hold, nowMs)) continue;
    const isHeld = coveredBy(catalog, hold.backupId).some(({ manifest }) => ids.has(manifest.backupId));
    if (isHeld) return `held since: ${hold.reason}`;
  }
  return null;
}

async function whyBuiltOn(
  vault: Vault,
  known: ReadonlySet<string>,
  ids: ReadonlySet<string>,
): Promise<string | null> {
  for await (const { name, sizeBytes } of vault.list(BACKUPS_PREFIX)) {
    if (!name.endsWith(`/${MANIFEST_NAME}`) || known.has(name)) continue;
    const parentId = await readParent(vault, name, sizeBytes);
    if (parentId === undefined) return `${name} is new, and what it builds on cannot be read`;
    if (parentId !== null && ids.has(parentId)) return `${name} is new and builds on it`;
  }
  return null;
}

/** Undefined where it cannot be read. */
async function readParent(vault: Vault, name: string, sizeBytes: number): Promise<string | null | undefined> {
  try {
    return decodeManifest(await vault.readRange(name, 0, sizeBytes)).parentId;
  } catch (error) {
    if (isBackupError(error, 'vault_object_missing')) return null;
    if (isBackupError(error, 'damaged', 'store_unsupported')) return undefined;
    throw error;
  }
}

/** A manifest that is gone, and whose files are not, can be written again: the same bytes. Parents come first. */
export async function putBack(vault: Vault, gone: readonly CatalogEntry[]): Promise<void> {
  for (const { folder, manifest } of gone.toReversed()) {
    try {
      await writeObject(vault, folder + MANIFEST_NAME, encodeManifest(manifest));
    } catch (error) {
      if (!isBackupError(error, 'vault_object_exists')) throw error;
    }
  }
}
