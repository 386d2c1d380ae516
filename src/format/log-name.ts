import type { FeedSource } from '../core/change-feed.ts';
import { BackupError } from '../core/errors.ts';
import { isObjectName } from '../core/object-name.ts';

/** Where the change log lies in a vault (FORMAT.md §11): a folder for each source and timeline. */
export const LOG_PREFIX = 'log/';

/** What the name of an object in a log says. */
export interface LogName {
  readonly folder: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** `log`: holds the transactions of this range of positions. `gap`: says that some of them may be missing. */
  readonly kind: 'log' | 'gap';
  readonly from: bigint;
  readonly to: bigint;
}

const FOLDER = /^log\/([A-Za-z0-9][A-Za-z0-9._-]*)-(0|[1-9]\d*)\/$/;
const FILE = /^([0-9A-F]{16})-([0-9A-F]{16})\.(log|gap)$/;

/** Positions in text have sixteen digits, so that the order of names is that of positions. */
export function positionText(position: bigint): string {
  return position.toString(16).toUpperCase().padStart(16, '0');
}

/** Null when the text is not what `positionText` writes. */
export function parsePosition(text: unknown): bigint | null {
  return typeof text === 'string' && /^[0-9A-F]{16}$/.test(text) ? BigInt(`0x${text}`) : null;
}

export function logFolder(source: Pick<FeedSource, 'systemIdentifier' | 'timeline'>): string {
  const folder = `${LOG_PREFIX}${source.systemIdentifier}-${source.timeline}/`;
  if (FOLDER.test(folder) && isObjectName(folder.slice(0, -1))) return folder;
  throw new BackupError('internal', `no folder of a log can be named ${JSON.stringify(folder)}`);
}

/** What keys of a log are for: the name of the folder that an object of it lies in, without what all logs share. */
export function logScope(name: string): string {
  return name.slice(LOG_PREFIX.length, name.lastIndexOf('/'));
}

/** The file of every transaction that commits at `from` or later and before `to`; with both the same, of a log that begins there. */
export function logFileName(from: bigint, to: bigint): string {
  return `${positionText(from)}-${positionText(to)}.log`;
}

export function gapFileName(from: bigint, to: bigint): string {
  return `${positionText(from)}-${positionText(to)}.gap`;
}

/** What the name of a quiet mark says: up to this time nothing was committed at this position or behind it. */
export interface QuietName {
  readonly folder: string;
  readonly at: bigint;
  /** Microseconds since 2000, not before. */
  readonly asOf: bigint;
}

const QUIET = /^([0-9A-F]{16})-([0-9A-F]{16})\.quiet$/;

export function quietFileName(at: bigint, asOf: bigint): string {
  return `${positionText(at)}-${positionText(asOf)}.quiet`;
}

/** Null when it is none of a quiet mark of a log. */
export function parseQuietName(name: string): QuietName | null {
  const slash = name.lastIndexOf('/') + 1;
  const folder = name.slice(0, slash);
  const [, at, asOf] = QUIET.exec(name.slice(slash)) ?? [];
  if (!FOLDER.test(folder) || at === undefined) return null;
  return { folder, at: BigInt(`0x${at}`), asOf: BigInt(`0x${asOf}`) };
}

/** Reads the whole name of an object; null when it is none of a log. */
export function parseLogName(name: string): LogName | null {
  const slash = name.lastIndexOf('/') + 1;
  const folder = name.slice(0, slash);
  const place = FOLDER.exec(folder);
  const range = FILE.exec(name.slice(slash));
  if (place === null || range === null) return null;
  const kind = range[3] as LogName['kind'];
  const from = BigInt(`0x${range[1]}`);
  const to = BigInt(`0x${range[2]}`);
  if (from > to) return null;
  return { folder, systemIdentifier: place[1]!, timeline: Number(place[2]), kind, from, to };
}
