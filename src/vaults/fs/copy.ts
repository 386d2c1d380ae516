import { link, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupError } from '../../core/errors.ts';
import { makeDirectories, type Root, removeEmptyDirectories, syncDirectories } from './directories.ts';
import { hasErrno, toVaultError } from './errors.ts';
import { alreadyExists } from './publish.ts';
import { lstatIfThere } from './walk.ts';
import { assertFree, createWriter, OPEN_ATTEMPTS } from './writer.ts';

/** An object that is there. */
export interface Source {
  readonly path: string;
  readonly sizeBytes: number;
  readonly readRange: (offset: number, length: number) => Promise<Uint8Array>;
  /** The error that says that it is not there any more. */
  readonly missing: () => Promise<BackupError>;
}

/** What link(2) answers where a second name cannot be had: no hard links, another disk, somebody else's file, too many. */
const NO_LINK = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EMLINK'];
const PART_BYTES = 4 << 20;

/**
 * Makes `to` a second name of a file, which costs no space and no time; where there are no hard links, a copy. Nobody
 * writes into an object, so it does not show that two are one file. Killed on the way, the object is there and whole, or not
 * there.
 */
export async function copyObject(root: Root, source: Source, to: string, linkFile = link): Promise<void> {
  try {
    await linkObject(root, source, to, linkFile);
  } catch (error) {
    if (hasErrno(error, ...NO_LINK)) return copyBytes(root, source, to);
    throw toVaultError(error, `copy "${source.path}" to "${join(root.path, to)}"`);
  }
}

async function linkObject(root: Root, source: Source, to: string, linkFile: typeof link): Promise<void> {
  const segments = to.split('/');
  const target = segments.pop()!;
  for (let attempt = 1; ; attempt += 1) {
    let directory: string | null = null;
    try {
      directory = await makeDirectories(root, segments);
      return await linkInto(root, source, { directory, path: join(directory, target) }, linkFile);
    } catch (error) {
      if (directory !== null) await removeEmptyDirectories(root, directory);
      if (!hasErrno(error, 'ENOENT')) throw error;
      if ((await lstatIfThere(source.path)) === null) throw await source.missing();
      // Another writer's clean-up took the empty directory away, or the one above that it was to be made in.
      if (attempt === OPEN_ATTEMPTS) throw error;
    }
  }
}

async function linkInto(
  root: Root,
  source: Source,
  { directory, path }: { directory: string; path: string },
  linkFile: typeof link,
): Promise<void> {
  await assertFree(path);
  await linkFile(source.path, path).catch((error: unknown) => {
    throw hasErrno(error, 'EEXIST') ? alreadyExists(path) : error;
  });
  try {
    await syncDirectories(root.path, directory);
  } catch (error) {
    await unlink(path).catch(() => {}); // The disk fails: all that can be done is to try.
    throw error;
  }
}

async function copyBytes(root: Root, { sizeBytes, readRange }: Source, to: string): Promise<void> {
  const writer = await createWriter(root, to);
  try {
    for (let offset = 0; offset < sizeBytes; offset += PART_BYTES) {
      await writer.write(await readRange(offset, Math.min(PART_BYTES, sizeBytes - offset)));
    }
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
