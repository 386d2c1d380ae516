import type { ManifestFile } from '../../../src/core/manifest.ts';
import type { Vault } from '../../../src/core/vault.ts';
import type { CatalogEntry } from '../../../src/format/catalog.ts';
import { decodeIndex } from '../../../src/format/chunk-index.ts';
import { overwrite, readObject } from '../../harness/memory-backup.ts';
import type { BackupName, VaultSpecimen } from './specimen.ts';

/** The first file of a backup that has this role, with the whole name of its object. */
export function fileOf(
  { backups }: VaultSpecimen,
  backup: BackupName,
  role: ManifestFile['role'] = 'events',
): ManifestFile & { readonly object: string; readonly table: string } {
  const { folder, manifest } = backups[backup];
  const file = manifest.files.find((candidate) => candidate.role === role)!;
  return { ...file, object: folder + file.name, table: folder + file.index.name };
}

export function manifestOf({ folder }: CatalogEntry): string {
  return `${folder}manifest.json`;
}

export async function flipByte(vault: Vault, name: string, at: number): Promise<void> {
  await change(vault, name, (bytes) => {
    bytes[at]! ^= 0x10;
    return bytes;
  });
}

export async function change(vault: Vault, name: string, edit: (bytes: Buffer) => Uint8Array): Promise<void> {
  await overwrite(vault, name, edit(await readObject(vault, name)));
}

/** Puts one object's content under another's name. */
export async function replace(vault: Vault, name: string, by: string): Promise<void> {
  await overwrite(vault, name, await readObject(vault, by));
}

export async function exchange(vault: Vault, one: string, other: string): Promise<void> {
  const [first, second] = [await readObject(vault, one), await readObject(vault, other)];
  await overwrite(vault, one, second);
  await overwrite(vault, other, first);
}

/** Where the chunks of a file in the clear lie. */
export async function chunksOf(vault: Vault, file: ReturnType<typeof fileOf>) {
  return decodeIndex(await readObject(vault, file.table), file.name, file.sizeBytes);
}
