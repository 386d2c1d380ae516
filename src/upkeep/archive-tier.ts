import { parseTime, timeToUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { BACKUPS_PREFIX, MANIFEST_NAME } from '../format/bundle.ts';
import { type Catalog, type CatalogEntry, readCatalog } from '../format/catalog.ts';
import { followChain, isBroken } from '../format/chain.ts';
import { planTier } from '../policy/archive-tier.ts';
import { type SyncOptions, type SyncPorts, type SyncReport, syncVault } from './sync.ts';

/**
 * Copies chains that are old enough into the archive tier. Nothing is removed here: once a copy is there and proven, the retention of
 * the primary may let its own go.
 */
export async function archiveChains(
  ports: SyncPorts,
  afterDays: number,
  options: Omit<SyncOptions, 'only' | 'isArchive'> = {},
): Promise<SyncReport> {
  const only = belongsToTier(await readCatalog(ports.source), afterDays, ports.clock.now());
  return syncVault(ports, { ...options, only, isArchive: true });
}

/** Ids of the backups that belong into the archive. */
export function belongsToTier({ backups }: Catalog, afterDays: number, nowMs: number): Set<string> {
  const candidates = backups.map(({ manifest: { backupId, chain, createdAt } }) => ({
    ...{ backupId, baseId: chain?.baseId ?? backupId },
    createdAtMs: timeToUnixMs(parseTime(createdAt) ?? 0n),
  }));
  const moving = planTier(candidates, { afterDays, nowMs }).filter(({ moves }) => moves);
  return new Set(moving.flatMap(({ members }) => members.map(({ backupId }) => backupId)));
}

/**
 * Ids of the backups of a catalog that an archive holds with all that they build on. Told by one listing of it: a manifest is written
 * when all before it was proven, and what is archived cannot be read.
 */
export async function archivedBackups(catalog: Catalog, archive: Vault): Promise<Set<string>> {
  const sizes = new Map<string, number>();
  for await (const { name, sizeBytes } of archive.list(BACKUPS_PREFIX)) sizes.set(name, sizeBytes);
  const isThere = (entry: CatalogEntry): boolean =>
    sizesOf(entry).every(([name, sizeBytes]) => sizes.get(name) === sizeBytes);
  const there = new Set(catalog.backups.filter(isThere).map(({ manifest }) => manifest.backupId));
  const held = catalog.backups.filter((entry) => {
    const chain = followChain(catalog, entry);
    return !isBroken(chain) && chain.every(({ manifest }) => there.has(manifest.backupId));
  });
  return new Set(held.map(({ manifest }) => manifest.backupId));
}

function sizesOf({ folder, manifest, manifestBytes }: CatalogEntry): [string, number][] {
  const files = manifest.files.flatMap((file) => [file, file.index]);
  return [
    [folder + MANIFEST_NAME, manifestBytes],
    ...files.map(({ name, sizeBytes }): [string, number] => [folder + name, sizeBytes]),
  ];
}
