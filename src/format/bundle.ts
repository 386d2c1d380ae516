import type { BackupKind, ChunkFormat, Compression, FileRole } from '../core/manifest.ts';
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

export const SEALED_SUFFIX = '.sealed';

/** How the content of data files is written, as their names say it. */
export interface FileForm {
  readonly compression: Compression;
  readonly isSealed: boolean;
}

/** `mark`: tells the files of several who write the same range apart. */
export function eventFileName(number: number, format: ChunkFormat, form: FileForm, mark?: string): string {
  const marked = mark === undefined ? '' : `-${mark}`;
  return `events-${String(number).padStart(5, '0')}${marked}.${format}${suffix(form)}`;
}

const EVENT_FILE = /^events-(\d{5,})(?:-[0-9a-f]+)?(\.(?!index).*)$/;

/** The number of an event file, and its name without number and mark; null for another file. */
export function parseEventFileName(name: string): { number: number; rest: string } | null {
  const match = EVENT_FILE.exec(name);
  return match === null ? null : { number: Number(match[1]), rest: match[2]! };
}

export function linesFileName(base: Exclude<FileRole, 'events'>, form: FileForm): string {
  return `${base}.jsonl${suffix(form)}`;
}

function suffix({ compression, isSealed }: FileForm): string {
  return COMPRESSION_SUFFIX[compression] + (isSealed ? SEALED_SUFFIX : '');
}

/** `events-00001.columns.zst` has its chunk table in `events-00001.index`; where one is sealed, both are. */
export function indexFileName(fileName: string): string {
  const end = fileName.endsWith(SEALED_SUFFIX) ? SEALED_SUFFIX : '';
  return `${fileName.slice(0, fileName.indexOf('.'))}.index${end}`;
}
