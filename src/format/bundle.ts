import type { BackupKind, ChunkFormat, Compression } from '../core/manifest.ts';
import { COMPRESSION_SUFFIX } from './compression.ts';

/** Where the parts of a backup lie in a vault (FORMAT.md §2). */
export const BACKUPS_PREFIX = 'backups/';
export const MANIFEST_NAME = 'manifest.json';

const FOLDER = /^backups\/(full|incremental)-backup-([0-9a-f-]{36})\.eventcore\//;

export function bundleFolder(kind: BackupKind, backupId: string): string {
  return `${BACKUPS_PREFIX}${kind}-backup-${backupId}.eventcore/`;
}

/** The backup that an object belongs to, or null when its name is no part of one. */
export function parseBundleName(name: string): { folder: string; kind: BackupKind; backupId: string } | null {
  const match = FOLDER.exec(name);
  if (match === null) return null;
  return { folder: match[0], kind: match[1] as BackupKind, backupId: match[2]! };
}

export function eventFileName(number: number, format: ChunkFormat, compression: Compression): string {
  return `events-${String(number).padStart(5, '0')}.${format}${COMPRESSION_SUFFIX[compression]}`;
}

export function linesFileName(base: 'heads' | 'companions', compression: Compression): string {
  return `${base}.jsonl${COMPRESSION_SUFFIX[compression]}`;
}

/** `events-00001.columns.zst` has its chunk table in `events-00001.index`. */
export function indexFileName(fileName: string): string {
  return `${fileName.slice(0, fileName.indexOf('.'))}.index`;
}
