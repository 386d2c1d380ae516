import { BackupError, isBackupError, throwIfAborted } from '../core/errors.ts';
import type { Lease } from '../core/lease.ts';
import type { Vault } from '../core/vault.ts';
import { isFrozen } from '../format/keep-marks.ts';
import type { LogFile, LogTimeline } from '../format/log-catalog.ts';
import { checkLogFiles } from '../format/log-digests.ts';
import { logFileName } from '../format/log-name.ts';
import { quietFile } from '../format/log-quiet.ts';
import { type CompactionPolicy, planCompaction, planMarkRemovals } from '../policy/compaction.ts';

export interface CompactionOptions {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly policy?: CompactionPolicy;
  /** Asked before anything is made or removed; left out: nobody else does that in this vault. */
  readonly lease?: Lease;
  readonly signal?: AbortSignal | undefined;
}

export interface CompactionReport {
  /** Joined files that are new. */
  readonly joined: readonly string[];
  /** Parts that a joined file holds as well, and marks that say nothing any longer: they are gone now. */
  readonly removed: readonly string[];
  /** What could not be joined, or not be removed, since it is damaged: nothing of it was touched. */
  readonly failures: readonly string[];
}

const PIECE_BYTES = 4 << 20;

/**
 * Joins small files of a log and removes what joined ones hold as well. A joined file is the plain concatenation of its parts,
 * checked before and after; parts are removed only once it has been read back. Wherever it is killed, the log reads the
 * same, and the next compaction goes on. While the vault is frozen nothing is done.
 */
export async function compactLog(
  vault: Vault,
  timeline: LogTimeline,
  { nowMs, policy, lease, signal }: CompactionOptions,
): Promise<CompactionReport> {
  const report = { joined: [] as string[], removed: [] as string[], failures: [] as string[] };
  if (await isFrozen(vault)) return report;
  const plan = planCompaction(timeline, nowMs, policy);
  for (const { covering, files } of plan.removals) {
    await orNote(report.failures, async () => {
      await checkLogFiles(vault, [covering], signal);
      for (const { name } of files) {
        throwIfAborted(signal);
        lease?.assertHeld();
        await vault.removeObject(name);
        report.removed.push(name);
      }
    });
  }
  for (const { newer, marks } of planMarkRemovals(timeline, nowMs, policy)) {
    await orNote(report.failures, async () => {
      if (newer !== null) await checkLogFiles(vault, [quietFile(newer)], signal);
      for (const { name } of marks) {
        throwIfAborted(signal);
        lease?.assertHeld();
        await vault.removeObject(name);
        report.removed.push(name);
      }
    });
  }
  for (const { files } of plan.joins) {
    await orNote(report.failures, async () => {
      lease?.assertHeld();
      const name = await joinFiles(vault, timeline.folder, files, signal);
      if (name !== null) report.joined.push(name);
    });
  }
  return report;
}

/** Damage of some files is no reason to leave the others alone. */
async function orNote(failures: string[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isBackupError(error, 'damaged', 'store_unsupported')) throw error;
    failures.push(error.message);
  }
}

/** Null when the joined file is there already: an earlier compaction made it, and it counts instead of its parts. */
async function joinFiles(
  vault: Vault,
  folder: string,
  files: readonly LogFile[],
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const from = files[0]!.from;
  const to = files.at(-1)!.to;
  const name = folder + logFileName(from, to);
  if ((await vault.stat(name)) !== null) return null;
  // Damage is left where it is and can be told from what is sound.
  await checkLogFiles(vault, files, signal);
  await concatenate(vault, name, files, signal);
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  try {
    const info = await vault.stat(name);
    if (info?.sizeBytes !== sizeBytes)
      throw new BackupError('damaged', `${name} has not the size of its parts`);
    await checkLogFiles(vault, [{ ...info, from, to }], signal);
  } catch (error) {
    // Its parts are all there, and they count again without it.
    if (isBackupError(error, 'damaged')) await vault.removeObject(name);
    throw error;
  }
  return name;
}

async function concatenate(
  vault: Vault,
  name: string,
  files: readonly LogFile[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const object = await vault.createObject(name);
  try {
    for (const file of files) {
      for (let offset = 0; offset < file.sizeBytes; offset += PIECE_BYTES) {
        throwIfAborted(signal);
        const length = Math.min(PIECE_BYTES, file.sizeBytes - offset);
        await object.write(await vault.readRange(file.name, offset, length));
      }
    }
    await object.commit();
  } catch (error) {
    await object.abort();
    throw error;
  }
}
