import { constants } from 'node:fs';
import { type FileHandle, open, opendir, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { BackupError } from '../../core/errors.ts';
import { assertObjectName, assertObjectPrefix } from '../../core/object-name.ts';
import { assertRangeInside } from '../../core/object-range.ts';
import type { ObjectInfo, Vault } from '../../core/vault.ts';
import { copyObject } from './copy.ts';
import {
  assertRootInPlace,
  findDirectory,
  makeRoot,
  type Root,
  removeEmptyDirectories,
  syncRemoval,
} from './directories.ts';
import { hasErrno, toVaultError } from './errors.ts';
import { removeLeftovers } from './leftovers.ts';
import { makeUnfinishedName } from './unfinished.ts';
import { lstatIfThere, statObject, walkObjects } from './walk.ts';
import { createWriter } from './writer.ts';

/**
 * A vault in a directory; an object is a file below it, named as the object.
 *
 * Files get the mode 0600 and directories 0700: a backup holds the whole history of a store. The directory's own
 * path may lead through symbolic links; inside it they are not followed, and a listing leaves them out.
 * Throws `config_invalid` when `path` cannot be a path.
 */
export function openDirectoryVault(path: string): Vault {
  if (path === '' || path.includes('\0')) {
    throw new BackupError('config_invalid', `not a path of a vault: ${JSON.stringify(path)}`);
  }
  const absolute = resolve(path);
  let opened: Root | null = null;
  const root = (): Root => {
    if (opened !== null) return opened;
    throw new BackupError('internal', `vault "${absolute}" is not open`);
  };
  return {
    address: `file:${absolute}`,
    open: async ({ create }) => {
      opened = await openRoot(absolute, create);
    },
    createObject: async (name) => {
      assertObjectName(name);
      await assertRootInPlace(root());
      return createWriter(root(), name);
    },
    readRange: (name, offset, length) => readRange(root(), name, offset, length),
    stat: (name) => statByName(root(), name),
    list: (prefix) => list(root(), prefix),
    copyObject: (from, to) => copyByName(root(), from, to),
    removeObject: (name) => removeObject(root(), name),
    removeLeftovers: async (prefix) => {
      assertObjectPrefix(prefix);
      await assertRootInPlace(root());
      return removeLeftovers(root(), prefix);
    },
    // A hard link would let damage of one vault be damage of both.
    copyFrom: async () => false,
    recall: async (name) => {
      if ((await statByName(root(), name)) === null) throw await missing(root(), name);
      return { state: 'readable' };
    },
    setLegalHold: async () => false,
    traits: async () => ({ lock: null, keepsVersions: false, createOnly: 'exact' }),
    freeBytes: () => freeBytes(root()),
    close: async () => {
      opened = null;
    },
  };
}

async function openRoot(path: string, create: boolean): Promise<Root> {
  try {
    if (create) await makeRoot(path);
    const found = await stat(path);
    if (!found.isDirectory()) {
      throw new BackupError('vault_refused', `"${path}" is not a directory`, {
        hint: 'name the directory that holds the backups, or one that does not exist yet',
      });
    }
    await (await opendir(path)).close();
    if (create) await proveWritable(path);
    return { path, device: found.dev, inode: found.ino };
  } catch (error) {
    throw toVaultError(error, `open the vault "${path}"`);
  }
}

async function freeBytes(root: Root): Promise<number> {
  await assertRootInPlace(root);
  try {
    const { bavail, bsize } = await statfs(root.path);
    return bavail * bsize;
  } catch (error) {
    throw toVaultError(error, `ask how much is free in "${root.path}"`);
  }
}

/** By writing: access(2) knows nothing of quotas and little of network filesystems. */
async function proveWritable(path: string): Promise<void> {
  const probe = join(path, makeUnfinishedName('probe'));
  await (await open(probe, 'wx', 0o600)).close();
  await unlink(probe);
}

/** The path of an object, or null when it can have none: a directory of its name is not there. */
async function findPath(root: Root, name: string): Promise<string | null> {
  assertObjectName(name);
  const segments = name.split('/');
  const directory = await findDirectory(root, segments.slice(0, -1));
  return directory === null ? null : join(directory, segments.at(-1)!);
}

async function readRange(root: Root, name: string, offset: number, length: number): Promise<Uint8Array> {
  const path = await findPath(root, name);
  const handle = path === null ? null : await openForReading(path);
  if (handle === null) throw await missing(root, name);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw await missing(root, name);
    assertRangeInside(name, found.size, offset, length);
    return await readExactly(handle, name, offset, length);
  } catch (error) {
    throw toVaultError(error, `read "${name}" in "${root.path}"`);
  } finally {
    await handle.close();
  }
}

/** Null when there is nothing, or a symbolic link. A pipe that someone put there would not block. */
async function openForReading(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
    throw toVaultError(error, `read "${path}"`);
  }
}

async function readExactly(
  handle: FileHandle,
  name: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw new BackupError('damaged', `object "${name}" ended while it was read`);
    done += bytesRead;
  }
  return bytes;
}

async function missing(root: Root, name: string): Promise<BackupError> {
  await assertRootInPlace(root);
  return new BackupError('vault_object_missing', `there is no object "${name}" in "${root.path}"`);
}

async function statByName(root: Root, name: string): Promise<ObjectInfo | null> {
  const path = await findPath(root, name);
  const info = path === null ? null : await statObject(path, name);
  if (info === null) await assertRootInPlace(root);
  return info;
}

async function copyByName(root: Root, from: string, to: string): Promise<void> {
  assertObjectName(to);
  const path = await findPath(root, from);
  const info = path === null ? null : await statObject(path, from);
  if (path === null || info === null) throw await missing(root, from);
  await assertRootInPlace(root);
  const source = {
    ...{ path, sizeBytes: info.sizeBytes, missing: () => missing(root, from) },
    readRange: (offset: number, length: number) => readRange(root, from, offset, length),
  };
  await copyObject(root, source, to);
}

async function* list(root: Root, prefix: string): AsyncGenerator<ObjectInfo> {
  assertObjectPrefix(prefix);
  await assertRootInPlace(root);
  yield* walkObjects(root, prefix);
}

/** The removal is durable when this resolves, so that removals survive a crash in the order they were made in. */
async function removeObject(root: Root, name: string): Promise<void> {
  const path = await findPath(root, name);
  const found = path === null ? null : await lstatIfThere(path);
  if (path === null || !found?.isFile()) return assertRootInPlace(root);
  try {
    await unlink(path).catch(ignoreMissing);
    await syncRemoval(root, dirname(path));
  } catch (error) {
    throw toVaultError(error, `remove "${path}"`);
  }
  await removeEmptyDirectories(root, dirname(path));
}

function ignoreMissing(error: unknown): void {
  if (!hasErrno(error, 'ENOENT')) throw error;
}
