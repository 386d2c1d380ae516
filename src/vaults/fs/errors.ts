import { statfs } from 'node:fs/promises';
import { BackupError, type ErrorCode } from '../../core/errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly hint: string;
}

const refused = (hint: string): Meaning => ({ code: 'vault_refused', hint });
const unreachable = (hint: string): Meaning => ({ code: 'vault_unreachable', hint });
const full = (hint: string): Meaning => ({ code: 'vault_full', hint });

/** What an errno of open(2), write(2), link(2) and their like means for a vault. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  ['ENOSPC', full('free some space, or remove old backups')],
  ['EDQUOT', full('raise the disk quota of this user, or remove old backups')],
  ['EACCES', refused('give this user the right to read and write there')],
  ['EPERM', refused('the filesystem or its attributes forbid it: see lsattr and the mount options')],
  ['EROFS', refused('the filesystem is mounted read-only')],
  ['ENOTDIR', refused('a file stands where a directory is needed')],
  ['EISDIR', refused('a directory stands where a file is needed')],
  ['EEXIST', refused('something else stands at that path')],
  ['ELOOP', refused('symbolic links inside a vault are not followed')],
  ['ENAMETOOLONG', refused('choose a shorter path')],
  ['EFBIG', refused('the filesystem or a limit of this process (ulimit -f) forbids files of that size')],
  ['ENOENT', unreachable('check the path, and that the disk is mounted')],
  ['EMFILE', unreachable('this process has too many open files: raise ulimit -n')],
  ['ENFILE', unreachable('this machine has too many open files')],
  ['EIO', unreachable('the disk or the network reports errors: see the system log')],
  ['ESTALE', unreachable('the network filesystem has lost the directory: mount it again')],
]);

const OTHER = unreachable('the operating system reports an unusual error: see the system log');

export function errnoOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('errno' in error) || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}

export function hasErrno(error: unknown, ...codes: string[]): boolean {
  const code = errnoOf(error);
  return code !== null && codes.includes(code);
}

/** The BackupError for a failed system call; anything else is given back as it is. */
export function toVaultError(error: unknown, doing: string): unknown {
  const code = errnoOf(error);
  if (code === null) return error;
  const meaning = MEANINGS.get(code) ?? OTHER;
  return new BackupError(meaning.code, `cannot ${doing} (${code})`, {
    hint: meaning.hint,
    facts: { errno: code },
    cause: error,
  });
}

/** As `toVaultError`; when the disk is full the hint says how much was written and how much is free. */
export async function toWriteError(
  error: unknown,
  doing: string,
  directory: string,
  writtenBytes: number,
): Promise<unknown> {
  const failure = toVaultError(error, doing);
  if (!(failure instanceof BackupError) || failure.code !== 'vault_full') return failure;
  const space = await statfs(directory).catch(() => null);
  const freeBytes = space === null ? null : space.bavail * space.bsize;
  const noMoreFiles = space !== null && space.files > 0 && space.ffree === 0;
  const free = noMoreFiles ? 'bytes but no room for another file' : `${freeBytes ?? 'unknown'} bytes`;
  return new BackupError('vault_full', failure.message, {
    hint: `${failure.hint}; this file had ${writtenBytes} bytes so far, free now: ${free}`,
    facts: { ...failure.facts, writtenBytes, freeBytes },
    cause: error,
  });
}
