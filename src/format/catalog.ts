import { runLimited } from '../core/concurrency.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { BackupKind, Manifest } from '../core/manifest.ts';
import type { Vault } from '../core/vault.ts';
import { attemptName } from './attempt-codec.ts';
import { BACKUPS_PREFIX, MANIFEST_NAME, parseBundleName } from './bundle.ts';
import type { BundleKeys } from './bundle-keys.ts';
import { decodeManifest, MAX_MANIFEST_BYTES } from './manifest-codec.ts';

/** What a vault holds, derived from its listing alone. */
export interface Catalog {
  /** Oldest first. */
  readonly backups: readonly CatalogEntry[];
  /** Backups whose manifest cannot be trusted. */
  readonly damaged: readonly DamagedEntry[];
  /** Folders without a manifest: attempts that never finished, or are under way. */
  readonly unfinished: readonly UnfinishedEntry[];
}

export interface CatalogEntry {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly manifestBytes: number;
  /** What of it can be opened; absent before anybody tried. */
  readonly keys?: BundleKeys | undefined;
}

export interface DamagedEntry {
  readonly folder: string;
  readonly backupId: string;
  readonly kind: BackupKind;
  /** `format_unknown`: a newer program wrote it, and nothing says that it is damaged. */
  readonly code: 'manifest_damaged' | 'format_unknown';
  readonly message: string;
}

export interface UnfinishedEntry {
  readonly folder: string;
  readonly backupId: string;
  readonly kind: BackupKind;
  readonly objects: number;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  /** It left word of itself, so that a full backup can go on from what is finished. */
  readonly canBeTakenUp: boolean;
}

interface Folder {
  readonly folder: string;
  readonly kind: BackupKind;
  readonly backupId: string;
  objects: number;
  sizeBytes: number;
  modifiedAtMs: number;
  manifestBytes: number | null;
  canBeTakenUp: boolean;
}

/** Manifests read at the same time: in a bucket each is a request. */
const READ_AT_ONCE = 16;

/**
 * Of another copy of the vault, `known` spares reading what was read there already: by folder, and only where the manifest has as many bytes.
 * That is for who wants to know what there is, not for who is about to use it.
 */
export async function readCatalog(
  vault: Vault,
  known: ReadonlyMap<string, CatalogEntry> = new Map(),
): Promise<Catalog> {
  const backups: CatalogEntry[] = [];
  const damaged: DamagedEntry[] = [];
  const folders = [...(await listFolders(vault)).values()];
  await runLimited(folders.filter(isFinished), READ_AT_ONCE, async (found) => {
    const { folder, kind, backupId, manifestBytes } = found;
    try {
      const entry = known.get(folder);
      const isKnown = entry?.manifestBytes === manifestBytes;
      backups.push(isKnown ? entry : { folder, manifest: await readManifest(vault, found), manifestBytes });
    } catch (error) {
      if (!isBackupError(error, 'damaged', 'store_unsupported')) throw error;
      const code = error.code === 'damaged' ? 'manifest_damaged' : 'format_unknown';
      damaged.push({ folder, kind, backupId, code, message: error.message });
    }
  });
  return {
    backups: backups.sort(byAge),
    damaged: damaged.sort((a, b) => compare(a.folder, b.folder)),
    unfinished: folders.filter((found) => !isFinished(found)).map(unfinishedEntry),
  };
}

type FinishedFolder = Folder & { readonly manifestBytes: number };

function isFinished(found: Folder): found is FinishedFolder {
  return found.manifestBytes !== null;
}

function unfinishedEntry({ manifestBytes: _, ...entry }: Folder): UnfinishedEntry {
  return entry;
}

/** Shorter beginnings of an id name nothing: one typed by mistake would fit some backup. */
const MIN_ID_LENGTH = 4;

/**
 * The backup that `wanted` names: a backup id or the start of one, at least four characters. Throws
 * `backup_not_found`, also when several fit, and `damaged` when its manifest is.
 */
export function findBackup(catalog: Catalog, wanted: string): CatalogEntry {
  if (wanted.length < MIN_ID_LENGTH) {
    throw new BackupError('backup_not_found', `"${wanted}" is too short to name a backup`, {
      hint: `give at least ${MIN_ID_LENGTH} characters of the id; \`eventcore list\` shows the backups of this vault`,
    });
  }
  const fits = (id: string): boolean => id.startsWith(wanted);
  const found = catalog.backups.filter((entry) => fits(entry.manifest.backupId));
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw new BackupError('backup_not_found', `${found.length} backups start with ${wanted}`, {
      hint: 'give more of the id; `eventcore list` shows them whole',
    });
  }
  const broken = catalog.damaged.find((entry) => fits(entry.backupId));
  if (broken !== undefined) {
    throw unusable(broken, `backup ${broken.backupId} cannot be used: ${broken.message}`);
  }
  const unfinished = catalog.unfinished.some((entry) => fits(entry.backupId));
  throw new BackupError(
    'backup_not_found',
    `no backup ${wanted}${unfinished ? ': that attempt never finished' : ''}`,
    {
      hint: '`eventcore list` shows the backups of this vault',
    },
  );
}

/** The newest backup. Throws `no_backups`, or `damaged` when there are only such as cannot be trusted. */
export function newestBackup(catalog: Catalog, vaultAddress: string): CatalogEntry {
  const newest = catalog.backups.at(-1);
  if (newest !== undefined) return newest;
  const broken = catalog.damaged[0];
  if (broken !== undefined) {
    throw unusable(broken, `no backup in ${vaultAddress} can be used: ${broken.backupId}: ${broken.message}`);
  }
  throw noBackups(catalog.unfinished.length, vaultAddress);
}

function unusable({ code }: DamagedEntry, message: string): BackupError {
  const facts = { file: MANIFEST_NAME };
  if (code === 'format_unknown') {
    return new BackupError('store_unsupported', message, {
      hint: 'a newer program wrote it: use that one',
      facts,
    });
  }
  const hint =
    'take it from another copy of the vault, or use another backup; `eventcore list` shows them all';
  return new BackupError('damaged', message, { hint, facts });
}

function noBackups(attempts: number, vaultAddress: string): BackupError {
  if (attempts === 0) {
    return new BackupError('no_backups', `no backup in ${vaultAddress}`, {
      hint: 'make one with `eventcore backup full`, or check the vault address',
    });
  }
  const counted = `${attempts} attempt${attempts === 1 ? '' : 's'} without a manifest`;
  return new BackupError('no_backups', `no backup in ${vaultAddress}, only ${counted}`, {
    hint: 'if the vault was copied, copy it again, whole; `eventcore list` shows what is there',
  });
}

async function listFolders(vault: Vault): Promise<Map<string, Folder>> {
  const folders = new Map<string, Folder>();
  for await (const object of vault.list(BACKUPS_PREFIX)) {
    const parsed = parseBundleName(object.name);
    if (parsed === null) continue;
    const folder = folders.get(parsed.folder) ?? { ...parsed, ...EMPTY_FOLDER };
    folder.objects += 1;
    folder.sizeBytes += object.sizeBytes;
    folder.modifiedAtMs = Math.max(folder.modifiedAtMs, object.modifiedAtMs);
    if (object.name === parsed.folder + MANIFEST_NAME) folder.manifestBytes = object.sizeBytes;
    if (object.name === parsed.folder + attemptName(1)) folder.canBeTakenUp = true;
    folders.set(parsed.folder, folder);
  }
  return folders;
}

const EMPTY_FOLDER = { objects: 0, sizeBytes: 0, modifiedAtMs: 0, manifestBytes: null, canBeTakenUp: false };

async function readManifest(vault: Vault, found: FinishedFolder): Promise<Manifest> {
  const { manifestBytes: sizeBytes } = found;
  if (sizeBytes > MAX_MANIFEST_BYTES) throw new BackupError('damaged', `the manifest has ${sizeBytes} bytes`);
  const manifest = decodeManifest(await vault.readRange(found.folder + MANIFEST_NAME, 0, sizeBytes));
  if (manifest.backupId !== found.backupId || manifest.kind !== found.kind) {
    throw new BackupError('damaged', `the manifest belongs to ${manifest.kind} backup ${manifest.backupId}`);
  }
  return manifest;
}

/**
 * A full backup that was made of a chain is as old as the newest backup of the chain. It was finished after it, and is the
 * one to go on with.
 */
function byAge(
  { manifest: a, folder: one }: CatalogEntry,
  { manifest: b, folder: other }: CatalogEntry,
): number {
  return (
    compare(a.createdAt, b.createdAt) ||
    compare(a.finishedAt, b.finishedAt) ||
    (a.chain?.length ?? 1) - (b.chain?.length ?? 1) ||
    compare(one, other)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
