import { isBackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { copyChecked } from './copy-checked.ts';
import {
  checkObject,
  digestCheck,
  type MakeCheck,
  manifestCheck,
  recordCheck,
  type Soundness,
} from './object-check.ts';

/** What tells that an object is what was written: the manifest of its backup; or its own checksum, in a record and in a manifest. */
export type Proof =
  | { readonly kind: 'digest'; readonly sizeBytes: number; readonly sha256: string }
  | { readonly kind: 'record' | 'manifest' };

/** An object that one vault is to get from another. Survives structured cloning. */
export interface CopyJob {
  readonly name: string;
  readonly proof: Proof;
  /** The target had one when it was listed: it is looked at first. */
  readonly isThere: boolean;
  /** An object of the target that has the same bytes; null when none is known. */
  readonly twin: string | null;
  /** The copy is read from the target again. */
  readonly readBack: boolean;
  /** What is written to the target may not be read there. */
  readonly isArchive: boolean;
}

export interface CopyHooks {
  /** Bytes since the last call; events are none. */
  readonly onProgress?: (events: number, bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export type CopyResult =
  /** `moved`: its bytes came from the source; else the target had them under another name. */
  | { readonly state: 'copied'; readonly sizeBytes: number; readonly moved: boolean }
  /** `there`: the target has it, and it is sound. `missing`: the source has none. */
  | { readonly state: 'there' | 'missing' }
  | { readonly state: 'unsound'; readonly where: 'source' | 'target'; readonly reason: string };

/**
 * Sees to it that a vault has an object of another one, whole. Writes only what is not there, so it may be done again, and by
 * two at once: what another one has copied is looked at, and counts.
 */
export async function copyObject(
  from: Vault,
  to: Vault,
  job: CopyJob,
  hooks: CopyHooks = {},
): Promise<CopyResult> {
  const { name, readBack, isArchive } = job;
  const { signal } = hooks;
  if (job.isThere) {
    const found = await lookAt(to, job, signal);
    if (found.state !== 'missing') return ofTarget(found);
  }
  const twin = await copyTwin(to, job, signal);
  if (twin !== null) return twin;
  const onBytes = (bytes: number): void => hooks.onProgress?.(0, bytes);
  // What vaults move between them must be read there, and an archive cannot be.
  const options = { readBack, onBytes, signal, serverSide: !isArchive };
  const copied = await copyChecked(from, to, name, checkOf(job), options);
  if (copied.state === 'copied') return { ...copied, moved: true };
  if (copied.state === 'unsound') return { ...copied, where: 'source' };
  if (copied.state === 'missing') return { state: 'missing' };
  return ofTarget(await lookAt(to, job, signal));
}

function checkOf({ name, proof }: CopyJob): MakeCheck {
  switch (proof.kind) {
    case 'digest':
      return () => digestCheck(proof);
    case 'record':
      return recordCheck;
    case 'manifest':
      return () => manifestCheck(name);
  }
}

function ofTarget(found: Soundness): CopyResult {
  if (found.state === 'sound') return { state: 'there' };
  const reason = found.state === 'unsound' ? found.reason : 'comes and goes';
  return { state: 'unsound', where: 'target', reason };
}

/**
 * What is in an archive tier cannot be read: there the size says whether it is ours, since nothing of ours becomes visible before
 * every byte of it was proven.
 */
async function lookAt(to: Vault, job: CopyJob, signal: AbortSignal | undefined): Promise<Soundness> {
  const { name, proof } = job;
  try {
    return await checkObject(to, name, checkOf(job), signal);
  } catch (error) {
    if (!isBackupError(error, 'object_archived')) throw error;
    const info = await to.stat(name);
    if (info === null) return { state: 'missing' };
    if (proof.kind !== 'digest' || info.sizeBytes === proof.sizeBytes) return { state: 'sound' };
    return { state: 'unsound', reason: `it has ${info.sizeBytes} bytes instead of ${proof.sizeBytes}` };
  }
}

/** What the target has already under another name need not be moved there again. It is read where it is. Null: it was to no avail. */
async function copyTwin(
  to: Vault,
  job: CopyJob,
  signal: AbortSignal | undefined,
): Promise<CopyResult | null> {
  const { name, proof, twin } = job;
  if (twin === null || proof.kind !== 'digest' || job.isArchive) return null;
  try {
    await to.copyObject(twin, name);
  } catch (error) {
    if (isBackupError(error, 'vault_object_missing', 'vault_object_exists')) return null;
    throw error;
  }
  if ((await checkObject(to, name, checkOf(job), signal)).state === 'sound')
    return { state: 'copied', sizeBytes: proof.sizeBytes, moved: false };
  await to.removeObject(name);
  return null;
}
