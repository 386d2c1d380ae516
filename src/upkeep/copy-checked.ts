import { BackupError, isBackupError, throwIfAborted } from '../core/errors.ts';
import type { ObjectWriter, Vault } from '../core/vault.ts';
import {
  checkObject,
  judging,
  type MakeCheck,
  type ObjectCheck,
  PIECE_BYTES,
  type Unsound,
} from './object-check.ts';

export interface CopyOptions {
  /** The name in the target; left out: the same. */
  readonly as?: string;
  /** Read from the target again once it is there. */
  readonly readBack?: boolean;
  /** The vaults may move the bytes between them. */
  readonly serverSide?: boolean;
  /** Called when all was read and is sound, before it becomes visible. */
  readonly beforeCommit?: () => Promise<void>;
  readonly onBytes?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** `present`: the target has such an object, and nothing was looked at. `missing`: the source has none. */
export type Copied =
  | { readonly state: 'copied'; readonly sizeBytes: number }
  | { readonly state: 'present' | 'missing' }
  | Unsound;

/**
 * Gives a vault an object of another one, which shows there only when every byte that was read is what it must be. So what is
 * damaged is not spread. Dies it on the way, nothing is there.
 */
export async function copyChecked(
  from: Vault,
  to: Vault,
  name: string,
  make: MakeCheck,
  options: CopyOptions = {},
): Promise<Copied> {
  const as = options.as ?? name;
  try {
    if (options.serverSide === true && (await to.copyFrom(from, name)))
      return await proveCopy(to, name, make, options);
    const copied = await judging(() => streamCopy(from, to, { name, as }, make(), options));
    if (copied.state !== 'copied' || options.readBack !== true) return copied;
    if (await readsBack(to, as, make, options)) return copied;
    throw notKept(to, as);
  } catch (error) {
    if (isBackupError(error, 'vault_object_exists')) return { state: 'present' };
    if (isBackupError(error, 'vault_object_missing')) return { state: 'missing' };
    throw error;
  }
}

/** What the vaults moved between them was seen by nobody: it is read where it is now, and does not stay when it is not sound. */
async function proveCopy(to: Vault, name: string, make: MakeCheck, options: CopyOptions): Promise<Copied> {
  const found = await checkObject(to, name, make, options.signal);
  if (found.state === 'missing') throw notKept(to, name);
  if (found.state === 'unsound') {
    await to.removeObject(name);
    return found;
  }
  const sizeBytes = (await to.stat(name))?.sizeBytes ?? 0;
  options.onBytes?.(sizeBytes);
  return { state: 'copied', sizeBytes };
}

/** What went into an archive tier cannot be read, and is taken as it was sent. */
async function readsBack(to: Vault, as: string, make: MakeCheck, { signal }: CopyOptions): Promise<boolean> {
  try {
    return (await checkObject(to, as, make, signal)).state === 'sound';
  } catch (error) {
    if (isBackupError(error, 'object_archived')) return true;
    throw error;
  }
}

interface Names {
  readonly name: string;
  readonly as: string;
}

async function streamCopy(
  from: Vault,
  to: Vault,
  { name, as }: Names,
  check: ObjectCheck,
  options: CopyOptions,
): Promise<Copied> {
  const info = await from.stat(name);
  if (info === null) return { state: 'missing' };
  const object = await to.createObject(as);
  try {
    await pour(from, object, { name, sizeBytes: info.sizeBytes }, check, options);
    check.end();
    await options.beforeCommit?.();
    await object.commit();
  } catch (error) {
    await object.abort();
    throw error;
  }
  const kept = await to.stat(as);
  if (kept?.sizeBytes !== info.sizeBytes) throw notKept(to, as);
  return { state: 'copied', sizeBytes: info.sizeBytes };
}

/** One piece is read while the one before is written. */
async function pour(
  from: Vault,
  object: ObjectWriter,
  { name, sizeBytes }: { readonly name: string; readonly sizeBytes: number },
  check: ObjectCheck,
  { onBytes, signal }: CopyOptions,
): Promise<void> {
  let writing: Promise<void> = Promise.resolve();
  try {
    for (let offset = 0; offset < sizeBytes; offset += PIECE_BYTES) {
      throwIfAborted(signal);
      const piece = await from.readRange(name, offset, Math.min(PIECE_BYTES, sizeBytes - offset));
      check.update(piece);
      await writing;
      writing = object.write(piece);
      writing.catch(() => undefined);
      onBytes?.(piece.length);
    }
  } finally {
    await writing;
  }
}

/** Nothing that was read was wrong: the vault that it was written to is. */
function notKept(vault: Vault, name: string): BackupError {
  return new BackupError('vault_refused', `${vault.address} did not keep ${name} as it was written`, {
    hint: 'check its disk or service: `eventcore doctor` tries out whether it keeps its promises',
    facts: { object: name },
  });
}
