import { BackupError } from '../core/errors.ts';
import type { StoreDescription } from '../core/event-store.ts';
import type { Manifest, ManifestFile } from '../core/manifest.ts';

/** What a restore will do, decided before anything is touched. */
export interface RestorePlan {
  readonly backupId: string;
  readonly chain: readonly string[];
  readonly events: number;
  readonly streams: number;
  /** Bytes to fetch from the vault. */
  readonly fetchBytes: number;
  /** `create`: the target has no event store yet; `fill`: an empty one; `replace`: what is there goes. */
  readonly action: 'create' | 'fill' | 'replace';
  /** What will be different from the source, and why, in words. */
  readonly notes: readonly string[];
}

/**
 * Decides whether a backup can go into a target. Throws `target_not_empty` (with the flag that allows it),
 * `store_unsupported` or `key_missing`.
 */
export function planRestore(manifest: Manifest, target: StoreDescription, replace: boolean): RestorePlan {
  if (manifest.sealed) {
    throw new BackupError('key_missing', `backup ${manifest.backupId} is sealed`, {
      hint: 'this version opens only backups that are not sealed',
    });
  }
  if (manifest.store.versionBase !== target.versionBase) {
    throw new BackupError(
      'store_unsupported',
      `streams start at version ${manifest.store.versionBase} in the backup, at ${target.versionBase} in the target`,
      { hint: 'restore into a store with the same layout' },
    );
  }
  if (target.state === 'filled' && !replace) {
    throw new BackupError('target_not_empty', 'the target already holds an event store with data', {
      hint: 'restore into an empty place, or pass --replace to throw away what is there (try --dry-run first)',
    });
  }
  return {
    backupId: manifest.backupId,
    chain: [manifest.backupId],
    events: manifest.totalEvents,
    streams: manifest.totalStreams,
    fetchBytes: manifest.sizeBytes,
    action: target.state === 'missing' ? 'create' : target.state === 'empty' ? 'fill' : 'replace',
    notes: notesOn(manifest, target),
  };
}

function notesOn(manifest: Manifest, target: StoreDescription): string[] {
  const notes: string[] = [];
  if (manifest.store.kind !== target.kind) {
    notes.push(
      `from ${manifest.store.kind} to ${target.kind}: command snapshots are left out, they are rebuilt on use`,
    );
    if (target.kind === 'postgres')
      notes.push('payloads become jsonb, which keeps values, not spacing or key order');
  }
  const { missingVersions, duplicateVersions } = manifest.oddities;
  if (missingVersions > 0)
    notes.push(`the source itself lacked ${missingVersions} versions inside its streams`);
  if (duplicateVersions > 0) notes.push(`the source itself held ${duplicateVersions} doubled versions`);
  return notes;
}

/** Neighbouring chunks of a file, which one loader loads. */
export interface ChunkRun {
  readonly file: ManifestFile;
  readonly chunks: readonly number[];
}

/** Sizes of a file's chunks, in order. */
export interface FileChunks {
  readonly file: ManifestFile;
  readonly plainBytes: readonly number[];
}

/** Much for one request, little for one loader: they end at about the same time, each having taken what it could. */
const RUN_BYTES = 2 << 20;

/** Cuts the chunks of all files into runs of about `RUN_BYTES`, in order. Each chunk is in exactly one. */
export function cutIntoRuns(files: readonly FileChunks[]): ChunkRun[] {
  const runs: ChunkRun[] = [];
  for (const { file, plainBytes } of files) {
    let chunks: number[] = [];
    let bytes = 0;
    plainBytes.forEach((size, chunk) => {
      if (chunks.length > 0 && bytes + size > RUN_BYTES) {
        runs.push({ file, chunks });
        chunks = [];
        bytes = 0;
      }
      chunks.push(chunk);
      bytes += size;
    });
    if (chunks.length > 0) runs.push({ file, chunks });
  }
  return runs;
}
