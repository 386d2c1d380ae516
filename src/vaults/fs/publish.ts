import { link, lstat, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { BackupError } from '../../core/errors.ts';
import { hasErrno } from './errors.ts';
import { makeClaimName } from './unfinished.ts';

/**
 * Gives the complete file at `temporary` the name `path` in the same directory, and never overwrites: throws
 * `vault_object_exists` when something has that name. Either it throws and `path` is as it was, or the object
 * is there; `temporary` may then still be a second name of it, which the caller removes.
 *
 * link(2) is atomic and fails when the name is taken; rename(2) would overwrite.
 */
export async function publishFile(temporary: string, path: string, linkFile = link): Promise<void> {
  try {
    await linkFile(temporary, path);
  } catch (error) {
    if (hasErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) return publishWithClaim(temporary, path);
    if (!hasErrno(error, 'EEXIST')) throw error;
    // A network filesystem that sent the request twice reports EEXIST for a link it has made itself.
    if (!(await isSameFile(temporary, path))) throw alreadyExists(path);
  }
}

/**
 * For filesystems without hard links (FAT, some network and FUSE ones). Whoever creates the claim file, which
 * O_EXCL lets only one writer do, may look whether the name is free and rename to it; all others are turned away.
 * Killed on the way, the name stays claimed until the claim is removed as a leftover a day later, which is
 * longer than any writer holds one.
 */
async function publishWithClaim(temporary: string, path: string): Promise<void> {
  const claim = join(dirname(path), makeClaimName(basename(path)));
  try {
    await (await open(claim, 'wx', 0o600)).close();
  } catch (error) {
    throw hasErrno(error, 'EEXIST') ? alreadyClaimed(path) : error;
  }
  try {
    if (await exists(path)) throw alreadyExists(path);
    await rename(temporary, path);
  } finally {
    // A claim that cannot be removed only keeps writers from a name; it must not hide how the rename went.
    await unlink(claim).catch(() => {});
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([lstat(a, { bigint: true }), lstat(b, { bigint: true })]);
  return first.ino === second.ino && first.dev === second.dev;
}

export function alreadyExists(path: string): BackupError {
  return new BackupError('vault_object_exists', `"${path}" already exists`, {
    hint: 'nothing in a vault is overwritten',
  });
}

function alreadyClaimed(path: string): BackupError {
  return new BackupError('vault_object_exists', `another writer holds the claim on "${path}"`, {
    hint: `a claim that a killed writer left ("${makeClaimName(basename(path))}") is removed with the leftovers after a day`,
  });
}
