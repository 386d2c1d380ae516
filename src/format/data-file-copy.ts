import { BackupError, isBackupError } from '../core/errors.ts';
import type { ManifestFile } from '../core/manifest.ts';
import type { Vault } from '../core/vault.ts';
import { missingPart, readIndex, SEE_ALL } from './data-file-reader.ts';
import { writeIndex } from './data-file-writer.ts';

/**
 * Gives a bundle the data file of another one, under another name where it has to have one. Its bytes are not read; the
 * chunk table names its file, and is written anew for another name. Throws `damaged` when the file is not there as its
 * manifest says. Not for sealed ones: their seal holds the name of backup and file.
 */
export async function copyDataFile(
  vault: Vault,
  from: { readonly folder: string; readonly file: ManifestFile },
  to: { readonly folder: string; readonly name: string },
): Promise<ManifestFile> {
  const { folder, file } = from;
  await copyPart(vault, folder + file.name, to.folder + to.name, file.sizeBytes);
  if (to.name === file.name) {
    const { name, sizeBytes } = file.index;
    await copyPart(vault, folder + name, to.folder + name, sizeBytes);
    return file;
  }
  const entries = await readIndex(vault, folder, file, null);
  return { ...file, name: to.name, index: await writeIndex(vault, { ...to, seal: null }, entries) };
}

async function copyPart(vault: Vault, from: string, to: string, sizeBytes: number): Promise<void> {
  try {
    await vault.copyObject(from, to);
  } catch (error) {
    throw isBackupError(error, 'vault_object_missing') ? missingPart(from, error) : error;
  }
  const copied = await vault.stat(to);
  if (copied?.sizeBytes === sizeBytes) return;
  throw new BackupError('damaged', `${from} has ${copied?.sizeBytes ?? 'no'} bytes instead of ${sizeBytes}`, {
    hint: SEE_ALL,
    facts: { file: from },
  });
}
