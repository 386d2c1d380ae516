import { lstat, mkdir, open, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BackupError } from '../../core/errors.ts';
import { hasErrno, toVaultError } from './errors.ts';

/** The directory that a vault was opened on; device and inode tell it from one that took its place. */
export interface Root {
  readonly path: string;
  readonly device: number;
  readonly inode: number;
}

/** A backup holds the whole history of a store, so a vault is its owner's alone. */
export const DIRECTORY_MODE = 0o700;

/**
 * Throws `vault_unreachable` when the directory has gone or another one stands in its place. An unmounted disk
 * leaves an empty mount point behind: a listing there would find no backups, and new ones would fill the
 * wrong disk.
 */
export async function assertRootInPlace(root: Root): Promise<void> {
  const now = await stat(root.path).catch((error: unknown) => {
    throw toVaultError(error, `find the vault "${root.path}"`);
  });
  if (now.dev === root.device && now.ino === root.inode) return;
  throw new BackupError(
    'vault_unreachable',
    `another directory stands in the place of vault "${root.path}"`,
    {
      hint: 'check that the disk is still mounted, then start again',
    },
  );
}

/**
 * The path of `segments` below the root when each of them is a directory, else null. A symbolic link is no
 * directory here: it could lead out of the vault.
 */
export async function findDirectory(root: Root, segments: readonly string[]): Promise<string | null> {
  let path = root.path;
  for (const segment of segments) {
    path = join(path, segment);
    if (!(await isDirectory(path))) return null;
  }
  return path;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw toVaultError(error, `look at "${path}"`);
  }
}

/**
 * Creates the directories of `segments` below the root, never the root itself. Throws `vault_refused` where
 * something else, or a symbolic link, stands in the way.
 */
export async function makeDirectories(root: Root, segments: readonly string[]): Promise<string> {
  let path = root.path;
  for (const segment of segments) {
    path = join(path, segment);
    await makeDirectory(path);
  }
  return path;
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, DIRECTORY_MODE);
    return;
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
  if ((await lstat(path)).isDirectory()) return;
  throw new BackupError('vault_refused', `"${path}" is not a directory`, {
    hint: 'inside a vault, files and symbolic links cannot take the place of a directory',
  });
}

/** Creates the vault's own directory and those above it, and makes their entries durable. */
export async function makeRoot(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
  if (first !== undefined) await syncDirectories(dirname(first), dirname(path));
}

/**
 * Makes the entries of `lowest` durable, and those of each directory above it up to `highest`. All of them
 * each time: another writer may have created one a moment ago and not have come to this yet.
 */
export async function syncDirectories(highest: string, lowest: string): Promise<void> {
  for (let path = lowest; ; path = dirname(path)) {
    await syncDirectory(path);
    if (path === highest || path === dirname(path)) return;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network and FUSE filesystems cannot sync a directory; there is nothing more to be done on them.
    if (!hasErrno(error, 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
  } finally {
    await handle.close();
  }
}

/** Makes durable that something below `path` is gone, also when another clean-up has taken `path` away by now. */
export async function syncRemoval(root: Root, path: string): Promise<void> {
  for (let at = path; ; at = dirname(at)) {
    try {
      return await syncDirectory(at);
    } catch (error) {
      if (at === root.path || !hasErrno(error, 'ENOENT')) throw error;
    }
  }
}

/**
 * Removes `path` and the directories above it, below the root, as far as they are empty. rmdir(2) refuses one
 * that a writer has put something into; a writer that finds its directory gone creates it again.
 */
export async function removeEmptyDirectories(root: Root, path: string): Promise<void> {
  for (let at = path; at !== root.path; at = dirname(at)) {
    try {
      await rmdir(at);
    } catch {
      return; // Not empty, or not ours to remove: an empty directory harms nothing.
    }
  }
}
