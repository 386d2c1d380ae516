import { runLimited } from '../core/concurrency.ts';
import { throwIfAborted } from '../core/errors.ts';
import { MANIFEST_NAME } from '../format/bundle.ts';
import type { CatalogEntry } from '../format/catalog.ts';
import { isFrozen } from '../format/keep-marks.ts';
import { parseKeyRecordName } from '../format/key-record.ts';
import { type CopyHooks, type CopyJob, type CopyResult, copyObject } from './copy-object.ts';
import { note, type SyncRun } from './sync-run.ts';

/** What was copied of a backup, or of a log. */
export interface CopiedObjects {
  objects: number;
  bytes: number;
}

export interface BundleOutcome extends CopiedObjects {
  /** The target has all of it. */
  readonly isWhole: boolean;
}

/** An object of a backup, and how to tell that it is sound. */
type Part = Pick<CopyJob, 'name' | 'proof'>;

/**
 * Copies a backup: data files, their tables and key records first, its manifest last. Of what is there already, the sizes must be
 * right; without a manifest also the bytes, since it is not known who wrote them.
 */
export async function syncBundle(
  run: SyncRun,
  entry: CatalogEntry,
  keyRecords: readonly string[],
): Promise<BundleOutcome> {
  const { folder, manifest } = entry;
  const { backupId } = manifest;
  const manifestName = folder + MANIFEST_NAME;
  const state: PartState = {
    ...{ backupId, isCommitted: run.there.has(manifestName), copied: { objects: 0, bytes: 0 } },
  };
  const records = keyRecords.map((name): Part => ({ name, proof: { kind: 'record' } }));
  const sound = new Set<string>();
  const sync = async (part: Part, signal: AbortSignal): Promise<void> => {
    if (!(await syncPart({ ...run, signal }, part, state))) return;
    sound.add(part.name);
    if (part.proof.kind === 'digest') run.twins.set(part.proof.sha256, part.name);
  };
  const files = filesOf(entry).map(
    ({ name, ...digest }): Part => ({ name, proof: { kind: 'digest', ...digest } }),
  );
  await runLimited([...files, ...records], run.parallel, sync, run.signal);
  const hasKey = manifest.sealing === undefined || hasRecordOf(sound, folder, manifest.sealing.keyId);
  if (!hasKey) {
    note(run, backupId, null, 'source', `no record of its key ${manifest.sealing!.keyId} is sound`);
  }
  const isWhole = hasKey && files.every(({ name }) => sound.has(name));
  if (!isWhole || state.isCommitted) return { ...state.copied, isWhole };
  throwIfAborted(run.signal);
  if (!(await areThere(run, folder, files))) {
    note(
      run,
      backupId,
      null,
      'target',
      'was removed while it was copied, as what an attempt left: run it again',
    );
    return { ...state.copied, isWhole: false };
  }
  const isDone = await syncPart(run, { name: manifestName, proof: { kind: 'manifest' } }, state);
  return { ...state.copied, isWhole: isDone };
}

/** Without a manifest they are a leftover to whoever prunes there, and old ones may have gone since they were looked at. */
async function areThere({ target }: SyncRun, folder: string, files: readonly Part[]): Promise<boolean> {
  const names = new Set<string>();
  for await (const { name } of target.list(folder)) names.add(name);
  return files.every(({ name }) => names.has(name));
}

function hasRecordOf(names: ReadonlySet<string>, folder: string, keyId: string): boolean {
  return [...names].some((name) => parseKeyRecordName(name.slice(folder.length))?.keyId === keyId);
}

/** The data files of a backup and their tables. */
export function filesOf({ folder, manifest }: Pick<CatalogEntry, 'folder' | 'manifest'>): FileDigest[] {
  const files = manifest.files.flatMap((file) => [file, file.index]);
  return files.map(({ name, sizeBytes, sha256 }) => ({ name: folder + name, sizeBytes, sha256 }));
}

interface FileDigest {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

interface PartState {
  readonly backupId: string;
  /** The target's backup is one: nothing of it is replaced here. */
  readonly isCommitted: boolean;
  readonly copied: CopiedObjects;
}

/** True when the target has it, whole. What is wrong is noted. */
async function syncPart(run: SyncRun, part: Part, state: PartState): Promise<boolean> {
  const size = run.there.get(part.name);
  if (size === undefined) return noteCopy(run, part, state, await copyPart(run, part, false));
  if (state.isCommitted) return hasSize(run, part, size, state);
  const found = await copyPart(run, part, true);
  if (found.state !== 'unsound' || found.where === 'source') return noteCopy(run, part, state, found);
  if (await removeUnsound(run, part.name))
    return noteCopy(run, part, state, await copyPart(run, part, false));
  note(run, state.backupId, part.name, 'target', 'is not sound, and stays: the vault is frozen');
  return false;
}

function hasSize(run: SyncRun, { name, proof }: Part, size: number, { backupId }: PartState): boolean {
  if (proof.kind !== 'digest' || size === proof.sizeBytes) return true;
  note(run, backupId, name, 'target', `has ${size} bytes instead of ${proof.sizeBytes}`);
  return false;
}

/** It lies in a folder without a manifest: nobody counts on it. False while nothing may be removed. */
async function removeUnsound({ target, there, underLease }: SyncRun, name: string): Promise<boolean> {
  if (await isFrozen(target)) return false;
  await underLease(async (lease) => {
    lease.assertHeld();
    await target.removeObject(name);
  });
  there.delete(name);
  return true;
}

/** Small ones, which have checksums of their own, are copied here. */
function copyPart(run: SyncRun, { name, proof }: Part, isThere: boolean): Promise<CopyResult> {
  const { source, target, readBack, isArchive, signal } = run;
  const twin = proof.kind === 'digest' ? (run.twins.get(proof.sha256) ?? null) : null;
  const job: CopyJob = { name, proof, isThere, twin, readBack, isArchive };
  const hooks: CopyHooks = { onProgress: (_, bytes) => run.onBytes(bytes), signal };
  if (run.runCopy !== undefined && proof.kind === 'digest') return run.runCopy(job, hooks);
  return copyObject(source, target, job, hooks);
}

function noteCopy(
  run: SyncRun,
  { name }: Part,
  { backupId, copied }: PartState,
  result: CopyResult,
): boolean {
  switch (result.state) {
    case 'copied':
      run.there.set(name, result.sizeBytes);
      copied.objects += 1;
      if (result.moved) copied.bytes += result.sizeBytes;
      return true;
    case 'there':
      return true;
    case 'missing':
      note(run, backupId, name, 'source', 'is missing');
      return false;
    case 'unsound':
      note(run, backupId, name, result.where, result.reason);
      return false;
  }
}
