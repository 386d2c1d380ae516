import { runLimited } from '../core/concurrency.ts';
import { isBackupError, throwIfAborted } from '../core/errors.ts';
import { MANIFEST_NAME } from '../format/bundle.ts';
import type { CatalogEntry } from '../format/catalog.ts';
import { isFrozen } from '../format/keep-marks.ts';
import { parseKeyRecordName } from '../format/key-record.ts';
import { copyChecked } from './copy-checked.ts';
import {
  checkObject,
  digestCheck,
  type MakeCheck,
  manifestCheck,
  recordCheck,
  type Soundness,
} from './object-check.ts';
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
interface Part {
  readonly name: string;
  /** Null: only its own checksum says what it should be. */
  readonly sizeBytes: number | null;
  /** Null: as above. */
  readonly sha256: string | null;
  readonly make: MakeCheck;
}

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
  const records = keyRecords.map((name): Part => ({ name, ...UNKNOWN, make: recordCheck }));
  const sound = new Set<string>();
  const sync = async (part: Part, signal: AbortSignal): Promise<void> => {
    if (!(await syncPart({ ...run, signal }, part, state))) return;
    sound.add(part.name);
    if (part.sha256 !== null) run.twins.set(part.sha256, part.name);
  };
  const files = filesOf(entry);
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
  const last: Part = { name: manifestName, ...UNKNOWN, make: () => manifestCheck(manifestName) };
  const isDone = await syncPart(run, last, state);
  return { ...state.copied, isWhole: isDone };
}

const UNKNOWN = { sizeBytes: null, sha256: null } as const;

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
export function filesOf({ folder, manifest }: Pick<CatalogEntry, 'folder' | 'manifest'>): Part[] {
  return manifest.files
    .flatMap((file) => [file, file.index])
    .map(({ name, sizeBytes, sha256 }) => ({
      ...{ name: folder + name, sizeBytes, sha256 },
      make: () => digestCheck({ sizeBytes, sha256 }),
    }));
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
  if (size !== undefined) {
    if (state.isCommitted) return hasSize(run, part, size, state);
    if ((await lookAt(run, part)).state === 'sound') return true;
    if (!(await removeUnsound(run, part.name))) {
      note(run, state.backupId, part.name, 'target', 'is not sound, and stays: the vault is frozen');
      return false;
    }
  }
  return copyPart(run, part, state);
}

/**
 * What is in an archive tier cannot be read: there the size says whether it is ours, since nothing of ours becomes visible before
 * every byte of it was proven.
 */
async function lookAt({ target, signal }: SyncRun, { name, sizeBytes, make }: Part): Promise<Soundness> {
  try {
    return await checkObject(target, name, make, signal);
  } catch (error) {
    if (!isBackupError(error, 'object_archived')) throw error;
    const info = await target.stat(name);
    if (info === null) return { state: 'missing' };
    if (sizeBytes === null || info.sizeBytes === sizeBytes) return { state: 'sound' };
    return { state: 'unsound', reason: `it has ${info.sizeBytes} bytes instead of ${sizeBytes}` };
  }
}

function hasSize(run: SyncRun, { name, sizeBytes }: Part, size: number, { backupId }: PartState): boolean {
  if (sizeBytes === null || size === sizeBytes) return true;
  note(run, backupId, name, 'target', `has ${size} bytes instead of ${sizeBytes}`);
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

async function copyPart(run: SyncRun, part: Part, { backupId, copied }: PartState): Promise<boolean> {
  if (await copyTwin(run, part)) {
    copied.objects += 1;
    return true;
  }
  const { source, target, there, readBack, onBytes, signal } = run;
  // What vaults move between them must be read there, and an archive cannot be.
  const options = { readBack, onBytes, signal, serverSide: !run.isArchive };
  const outcome = await copyChecked(source, target, part.name, part.make, options);
  switch (outcome.state) {
    case 'copied':
      there.set(part.name, outcome.sizeBytes);
      copied.objects += 1;
      copied.bytes += outcome.sizeBytes;
      return true;
    case 'present': {
      // Another run copies the same.
      const found = await lookAt(run, part);
      if (found.state === 'sound') return true;
      note(run, backupId, part.name, 'target', found.state === 'unsound' ? found.reason : 'comes and goes');
      return false;
    }
    case 'missing':
      note(run, backupId, part.name, 'source', 'is missing');
      return false;
    case 'unsound':
      note(run, backupId, part.name, 'source', outcome.reason);
      return false;
  }
}

/** What the target has already under another name need not be moved there again. It is read where it is. */
async function copyTwin({ target, twins, there, isArchive, signal }: SyncRun, part: Part): Promise<boolean> {
  const twin = part.sha256 === null || isArchive ? undefined : twins.get(part.sha256);
  if (twin === undefined) return false;
  try {
    await target.copyObject(twin, part.name);
  } catch (error) {
    if (isBackupError(error, 'vault_object_missing', 'vault_object_exists')) return false;
    throw error;
  }
  if ((await checkObject(target, part.name, part.make, signal)).state === 'sound') {
    there.set(part.name, part.sizeBytes!);
    return true;
  }
  await target.removeObject(part.name);
  return false;
}
