import type { BackupVerification } from '../../core/report.ts';
import {
  type Catalog,
  type CatalogEntry,
  type DamagedEntry,
  findBackup,
  newestBackup,
} from '../../format/catalog.ts';
import { manifestProblem } from '../../integrity/verify/backup.ts';
import { systemClock } from '../wire.ts';

/** A backup to check, or the verdict on one that has no manifest to check it by. */
export type Candidate = CatalogEntry | BackupVerification;

/** A vault with nothing to check is refused. */
export function allCandidates(catalog: Catalog, vaultAddress: string, hasLogs: boolean): Candidate[] {
  if (catalog.damaged.length === 0 && !hasLogs) newestBackup(catalog, vaultAddress);
  return [...catalog.backups, ...catalog.damaged.map(damagedManifest)];
}

/**
 * What was named, and what it builds on. Throws `backup_not_found`; a damaged or missing manifest is a finding, not a
 * failure.
 */
export function named(catalog: Catalog, wanted: readonly string[]): Candidate[] {
  const candidates = new Map<string, Candidate>();
  for (const id of wanted) {
    const candidate = findCandidate(catalog, id);
    const { backupId } = 'manifest' in candidate ? candidate.manifest : candidate;
    candidates.set(backupId, candidate);
  }
  return [...candidates.values()];
}

function findCandidate(catalog: Catalog, wanted: string): Candidate {
  const isWanted = ({ backupId }: { readonly backupId: string }): boolean =>
    backupId === wanted || (wanted.length >= 4 && backupId.startsWith(wanted));
  if (catalog.backups.some(({ manifest }) => isWanted(manifest))) return findBackup(catalog, wanted);
  const damaged = catalog.damaged.find(isWanted);
  if (damaged !== undefined) return damagedManifest(damaged);
  const unfinished = catalog.unfinished.find(isWanted);
  return unfinished === undefined ? findBackup(catalog, wanted) : missingManifest(unfinished.backupId);
}

function damagedManifest({ backupId, code, message }: DamagedEntry): BackupVerification {
  return manifestProblem(systemClock, backupId, code, message);
}

function missingManifest(backupId: string): BackupVerification {
  const message = 'the manifest is missing: the backup never finished, or is being written now';
  return manifestProblem(systemClock, backupId, 'manifest_missing', message);
}

/** What can be checked, with what that builds on. */
export function entriesOf(catalog: Catalog, candidates: readonly Candidate[], all: boolean): CatalogEntry[] {
  const chosen = candidates.filter((candidate): candidate is CatalogEntry => 'manifest' in candidate);
  return all ? chosen : withParents(catalog, chosen);
}

/** A backup is as sound as what it builds on. */
function withParents(catalog: Catalog, chosen: readonly CatalogEntry[]): CatalogEntry[] {
  const wanted = new Set(chosen);
  for (const { manifest } of wanted) {
    const parent = catalog.backups.find(({ manifest: { backupId } }) => backupId === manifest.parentId);
    if (parent !== undefined) wanted.add(parent);
  }
  return catalog.backups.filter((entry) => wanted.has(entry));
}
