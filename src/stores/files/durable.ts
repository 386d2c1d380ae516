import { writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { FilesConfig } from './config.ts';
import { hasErrno } from './errors.ts';

/** Writes a new file and, with `fsync`, waits for the disk. Its entry in the folder is made durable by `syncFolder`. */
export async function writeNew(file: string, bytes: Uint8Array, fsync: FilesConfig['fsync']): Promise<void> {
  if (fsync === 'none') return writeFileSync(file, bytes, { flag: 'wx' });
  const handle = await fs.open(file, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network and FUSE filesystems cannot sync a directory; there is nothing more to be done on them.
    if (!hasErrno(error, 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
  } finally {
    await handle.close();
  }
}

export async function exists(file: string): Promise<boolean> {
  try {
    await fs.lstat(file);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

/** Names in a folder; none where there is no folder. */
export async function listFolder(folder: string): Promise<string[]> {
  try {
    return await fs.readdir(folder);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/** Moves a file or folder into its place, over an empty folder at most, and makes both ends durable. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await fs.mkdir(path.dirname(to), { recursive: true });
  await fs.rename(from, to);
  await syncFolder(path.dirname(to));
  await syncFolder(path.dirname(from));
}
