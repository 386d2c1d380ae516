import type { Clock } from '../core/clock.ts';
import { BackupError } from '../core/errors.ts';
import { formatTime, parseTime, timeFromUnixMs, timeToUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { MANIFEST_NAME } from '../format/bundle.ts';
import { type Catalog, type CatalogEntry, findBackup, readCatalog } from '../format/catalog.ts';
import { HOLDS_PREFIX, type Hold, readHolds, releaseMark, writeHold } from '../format/keep-marks.ts';

export interface HoldRequest {
  /** An id, or the beginning of one. */
  readonly backup: string;
  readonly reason: string;
  /** RFC 3339; null: until it is taken off. */
  readonly until: string | null;
  readonly software: string;
}

export interface HeldBackup {
  readonly hold: Hold;
  /** Ids of all backups that stay for it, the full one first; empty when it is not in the vault. */
  readonly covers: readonly string[];
  /** Objects that the place itself keeps from being removed now. */
  readonly lockedObjects: number;
}

/**
 * Keeps a backup and all that it builds on, whatever the rules say. Where the vault can do that, it refuses to let go of any of
 * their objects to anybody. Throws `backup_not_found`.
 */
export async function addHold(
  { vault, clock }: { readonly vault: Vault; readonly clock: Clock },
  { backup, reason, until, software }: HoldRequest,
): Promise<HeldBackup> {
  const catalog = await readCatalog(vault);
  const { manifest } = findBackup(catalog, backup);
  const { backupId } = manifest;
  const hold: Hold = {
    ...{ id: clock.uuid(), backupId, reason, until, software },
    createdAt: nowText(clock),
  };
  await writeHold(vault, hold);
  const covered = coveredBy(catalog, backupId);
  for (const { folder } of covered) await requireThere(vault, folder);
  const lockedObjects = await setLegalHolds(vault, covered, true);
  return { hold, covers: covered.map((entry) => entry.manifest.backupId), lockedObjects };
}

function nowText(clock: Clock): string {
  return formatTime(timeFromUnixMs(clock.now()), 3);
}

/** A prune that runs right now reads holds before and after it removes a manifest; what it did not see was gone before. */
async function requireThere(vault: Vault, folder: string): Promise<void> {
  if ((await vault.stat(folder + MANIFEST_NAME)) !== null) return;
  throw new BackupError('backup_not_found', `${folder} was removed just now: the hold came too late`, {
    hint: '`eventcore list` shows what is there; hold another backup',
  });
}

/**
 * Takes off holds: the one of this id, or all of a backup. Objects that another hold covers too stay locked. Throws
 * `backup_not_found` when there is none.
 */
export async function removeHold(
  { vault, clock }: { readonly vault: Vault; readonly clock: Clock },
  { wanted, software }: { readonly wanted: string; readonly software: string },
): Promise<Hold[]> {
  const holds = await readHolds(vault);
  const ending = holds.filter(({ id, backupId }) => names(wanted, id) || names(wanted, backupId));
  if (ending.length === 0) {
    throw new BackupError('backup_not_found', `nothing is held by the name of ${wanted}`, {
      hint: '`eventcore hold list` shows the holds',
    });
  }
  const catalog = await readCatalog(vault);
  const stay = holds.filter((hold) => !ending.includes(hold));
  const locked = new Set(stay.flatMap(({ backupId }) => coveredBy(catalog, backupId)));
  const freed = new Set(ending.flatMap(({ backupId }) => coveredBy(catalog, backupId)));
  // First the locks: whoever dies in between has a hold that can be taken off again.
  await setLegalHolds(
    vault,
    [...freed].filter((entry) => !locked.has(entry)),
    false,
  );
  for (const { id } of ending) {
    await releaseMark(vault, HOLDS_PREFIX, id, { releasedAt: nowText(clock), software });
  }
  return ending;
}

const MIN_ID_LENGTH = 4;

function names(wanted: string, id: string): boolean {
  return wanted.length >= MIN_ID_LENGTH && id.startsWith(wanted);
}

/** All holds, with what each covers. */
export async function listHolds(vault: Vault): Promise<Omit<HeldBackup, 'lockedObjects'>[]> {
  const holds = await readHolds(vault);
  const catalog = await readCatalog(vault);
  return holds.map((hold) => ({
    hold,
    covers: coveredBy(catalog, hold.backupId).map(({ manifest }) => manifest.backupId),
  }));
}

export function hasEnded({ until }: Hold, nowMs: number): boolean {
  return until !== null && timeToUnixMs(parseTime(until) ?? 0n) <= nowMs;
}

/** A backup and as much as is there of what it builds on, the oldest first. */
export function coveredBy({ backups }: Catalog, backupId: string): CatalogEntry[] {
  const covered: CatalogEntry[] = [];
  let wanted: string | null = backupId;
  while (wanted !== null) {
    const entry: CatalogEntry | undefined = backups.find(({ manifest }) => manifest.backupId === wanted);
    // A parent is older than its child: what was made up to go round in circles ends here.
    if (entry === undefined || covered.includes(entry)) break;
    covered.unshift(entry);
    wanted = entry.manifest.parentId;
  }
  return covered;
}

/** How many objects the place itself holds, or lets go, now; none where it cannot do that. */
async function setLegalHolds(
  vault: Vault,
  entries: readonly CatalogEntry[],
  isHeld: boolean,
): Promise<number> {
  let count = 0;
  for (const { folder } of entries) {
    for await (const { name } of vault.list(folder)) {
      if (!(await vault.setLegalHold(name, isHeld))) return count;
      count += 1;
    }
  }
  return count;
}
