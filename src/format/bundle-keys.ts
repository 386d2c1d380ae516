import { BackupError } from '../core/errors.ts';
import type { FileRole, Manifest, ManifestFile } from '../core/manifest.ts';
import type { StoredForm } from './data-file-reader.ts';
import type { Seal, SealKey } from './seal.ts';

/** What somebody can open of a sealed bundle. */
export interface BundleKeys {
  /** Of all but the memory file; null for a host that has only public keys. */
  readonly data: SealKey | null;
  /** Of the memory file; null when it is of another host, or there is none. */
  readonly memory: SealKey | null;
}

/** A bundle, and the keys that there are for it. */
export interface KeyedBundle {
  readonly manifest: Pick<Manifest, 'backupId' | 'sealed'>;
  readonly keys?: BundleKeys | undefined;
}

/** What files of a role are sealed with; null when they are not. Throws `key_missing` when it cannot be opened here. */
export function sealOf(bundle: KeyedBundle, role: FileRole = 'events'): Seal | null {
  const { manifest } = bundle;
  if (!manifest.sealed) return null;
  const key = keyOf(bundle, role);
  if (key === null) throw sealedShut(manifest.backupId);
  return { key, scope: manifest.backupId };
}

function keyOf({ keys }: KeyedBundle, role: FileRole): SealKey | null {
  return (role === 'memory' ? keys?.memory : keys?.data) ?? null;
}

/** Whether files of a role can be read. */
export function canOpen(bundle: KeyedBundle, role: FileRole): boolean {
  return !bundle.manifest.sealed || keyOf(bundle, role) !== null;
}

/** How the chunks of a bundle's file are stored. Throws `key_missing` when it cannot be opened here. */
export function storedForm(
  bundle: KeyedBundle & { readonly manifest: Pick<Manifest, 'compression'> },
  { name, role }: ManifestFile,
): StoredForm {
  return { name, compression: bundle.manifest.compression, seal: sealOf(bundle, role) };
}

/** Whether all of a bundle can be read. */
export function isOpen(bundle: KeyedBundle): boolean {
  return canOpen(bundle, 'events');
}

/** The file that says which streams a bundle has, of those that can be opened here. Throws `key_missing`. */
export function headsRole(bundle: KeyedBundle): 'heads' | 'memory' {
  if (canOpen(bundle, 'heads')) return 'heads';
  if (canOpen(bundle, 'memory')) return 'memory';
  throw sealedShut(bundle.manifest.backupId);
}

function sealedShut(backupId: string): BackupError {
  return new BackupError('key_missing', `backup ${backupId} is sealed, and no key opens it`, {
    hint: 'pass --identity FILE or --passphrase-file FILE, or name them under `encryption:` in the configuration',
    facts: { backupId },
  });
}
