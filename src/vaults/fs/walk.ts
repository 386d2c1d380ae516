import type { Dirent, Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isObjectName } from '../../core/object-name.ts';
import type { ObjectInfo } from '../../core/vault.ts';
import { findDirectory, type Root } from './directories.ts';
import { hasErrno, toVaultError } from './errors.ts';

/** Something whose name is an object name or the beginning of one. */
interface Entry {
  /** From the root; a directory's ends in `/`, so that sorting keys sorts the names below them. */
  readonly key: string;
  readonly kind: 'directory' | 'file';
}

/** The objects whose names start with `prefix`, in byte order. Symbolic links and other files are no objects. */
export async function* walkObjects(root: Root, prefix: string): AsyncGenerator<ObjectInfo> {
  const base = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  if ((await findDirectory(root, base.split('/').slice(0, -1))) === null) return;
  yield* walkBelow(root, base, prefix);
}

async function* walkBelow(root: Root, base: string, prefix: string): AsyncGenerator<ObjectInfo> {
  for (const { key, kind } of await readEntries(root, base)) {
    if (kind === 'directory' && (key.startsWith(prefix) || prefix.startsWith(key))) {
      yield* walkBelow(root, key, prefix);
    } else if (kind === 'file' && key.startsWith(prefix)) {
      const info = await statObject(join(root.path, key), key);
      if (info !== null) yield info;
    }
  }
}

async function readEntries(root: Root, base: string): Promise<Entry[]> {
  const found = await readDirectory(join(root.path, base));
  const entries: Entry[] = [];
  for (const entry of found) {
    const name = base + entry.name;
    if (!isObjectName(name)) continue;
    if (entry.isDirectory()) entries.push({ key: `${name}/`, kind: 'directory' });
    else if (entry.isFile()) entries.push({ key: name, kind: 'file' });
  }
  return entries.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Empty when the directory has been removed meanwhile. */
export async function readDirectory(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw toVaultError(error, `list "${path}"`);
  }
}

/** Null when there is no regular file at `path`. */
export async function statObject(path: string, name: string): Promise<ObjectInfo | null> {
  const found = await lstatIfThere(path);
  if (found === null || !found.isFile()) return null;
  return { name, sizeBytes: found.size, modifiedAtMs: Math.floor(found.mtimeMs) };
}

export async function lstatIfThere(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return null;
    throw toVaultError(error, `look at "${path}"`);
  }
}
