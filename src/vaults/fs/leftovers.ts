import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isObjectName } from '../../core/object-name.ts';
import { type Root, removeEmptyDirectories } from './directories.ts';
import { hasErrno, toVaultError } from './errors.ts';
import { isAbandoned, isClaimAbandoned, parseClaimName, parseUnfinishedName } from './unfinished.ts';
import { lstatIfThere, readDirectory } from './walk.ts';

/**
 * Removes what dead writers of objects under `prefix` left, and directories that it finds empty. Returns the
 * number of files removed.
 */
export async function removeLeftovers(root: Root, prefix: string): Promise<number> {
  return removeBelow(root, '', prefix);
}

async function removeBelow(root: Root, base: string, prefix: string): Promise<number> {
  const directory = join(root.path, base);
  let removed = 0;
  for (const entry of await readDirectory(directory)) {
    const name = base + entry.name;
    const isBelow = `${name}/`.startsWith(prefix) || prefix.startsWith(`${name}/`);
    if (entry.isDirectory() && isBelow && isObjectName(name)) {
      removed += await removeBelow(root, `${name}/`, prefix);
    } else if (entry.isFile() && (await isLeftover(directory, entry.name, base, prefix))) {
      removed += await removeFile(join(directory, entry.name));
    }
  }
  if (base.startsWith(prefix)) await removeEmptyDirectories(root, directory);
  return removed;
}

async function isLeftover(
  directory: string,
  fileName: string,
  base: string,
  prefix: string,
): Promise<boolean> {
  const unfinished = parseUnfinishedName(fileName);
  const target = unfinished?.target ?? parseClaimName(fileName);
  if (target === null || !`${base}${target}`.startsWith(prefix)) return false;
  const found = await lstatIfThere(join(directory, fileName));
  if (found === null) return false;
  return unfinished === null
    ? isClaimAbandoned(found.mtimeMs, Date.now())
    : isAbandoned(unfinished, found.mtimeMs, Date.now());
}

/** How many files were removed: none when another clean-up was faster. */
async function removeFile(path: string): Promise<0 | 1> {
  try {
    await unlink(path);
    return 1;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return 0;
    throw toVaultError(error, `remove "${path}"`);
  }
}
