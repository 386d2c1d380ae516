import type { TrustPolicy } from '../core/trust.ts';
import type { ObjectInfo, Vault } from '../core/vault.ts';
import { parseKeyRecordName } from './key-record.ts';
import { decodeGap, type GapMarker, MAX_GAP_BYTES } from './log-gap.ts';
import { LOG_PREFIX, type LogName, parseLogName, parseQuietName, positionText } from './log-name.ts';
import type { SealKey } from './seal.ts';

/** What opens the blocks of a log, and whose signatures count. */
export interface LogKeys {
  /**
   * Each key is unwrapped once, when it is first asked for: there is one for each run of an archiver. Throws `key_missing`,
   * `key_wrong`, `key_refused`, or `damaged` when its record is gone or holds another key.
   */
  keyOf(keyId: string): Promise<SealKey>;
  readonly trust: TrustPolicy;
}

/** What a vault holds of the log of one timeline of one source. */
export interface LogTimeline {
  readonly folder: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** In the order of their positions. Nothing is known of what commits between one and the next. */
  readonly spans: readonly LogSpan[];
  readonly gaps: readonly GapMarker[];
  /** Files that longer ones hold as well: what a compaction that was killed left. */
  readonly covered: readonly LogFile[];
  /** By position, then time. */
  readonly quiet: readonly QuietMark[];
  /** What the names, or a gap marker, say that cannot be right. */
  readonly problems: readonly string[];
  /** What opens it, where somebody asked for that; else what is sealed cannot be read. */
  readonly keys?: LogKeys;
}

/** An unbroken run of files. */
export interface LogSpan {
  readonly from: bigint;
  readonly to: bigint;
  readonly files: readonly LogFile[];
}

/** Says that up to `asOf` nothing was committed at `at` or behind it, where a run ended then: one block, which no other names. */
export interface QuietMark extends ObjectInfo {
  readonly at: bigint;
  /** Microseconds since 2000, by the store's clock. */
  readonly asOf: bigint;
}

export interface LogFile {
  /** The whole name of the object. */
  readonly name: string;
  readonly from: bigint;
  readonly to: bigint;
  readonly sizeBytes: number;
  /** Milliseconds since 1970, by the vault's clock. */
  readonly modifiedAtMs: number;
}

/** Lists the logs of a vault, or the one of a folder, by system and timeline. One listing; only gap markers are read. */
export async function readLogCatalog(vault: Vault, prefix: string = LOG_PREFIX): Promise<LogTimeline[]> {
  const folders = new Map<string, { object: ObjectInfo; name: LogName }[]>();
  const strange = new Map<string, string[]>();
  const quiet = new Map<string, QuietMark[]>();
  for await (const object of vault.list(prefix)) {
    const name = parseLogName(object.name);
    const folder = object.name.slice(0, object.name.lastIndexOf('/') + 1);
    if (parseKeyRecordName(object.name.slice(folder.length)) !== null) continue;
    const mark = parseQuietName(object.name);
    if (mark !== null) push(quiet, folder, { ...object, at: mark.at, asOf: mark.asOf });
    else if (name === null) push(strange, folder, `${object.name} is no file of a log`);
    else push(folders, folder, { object, name });
  }
  const timelines: LogTimeline[] = [];
  for (const [folder, entries] of folders) {
    const described = await describeTimeline(vault, entries, strange.get(folder) ?? []);
    timelines.push({ ...described, quiet: quiet.get(folder) ?? [] });
  }
  return timelines.sort(
    (a, b) => compareText(a.systemIdentifier, b.systemIdentifier) || a.timeline - b.timeline,
  );
}

function push<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

async function describeTimeline(
  vault: Vault,
  entries: readonly { object: ObjectInfo; name: LogName }[],
  strange: readonly string[],
): Promise<Omit<LogTimeline, 'quiet'>> {
  const { folder, systemIdentifier, timeline } = entries[0]!.name;
  const problems = [...strange];
  const gaps: GapMarker[] = [];
  const files: LogFile[] = [];
  for (const { object, name } of entries) {
    if (name.kind === 'gap') gaps.push(await readGap(vault, object, name, problems));
    else files.push({ ...object, from: name.from, to: name.to });
  }
  return { folder, systemIdentifier, timeline, gaps, ...arrangeFiles(files, gaps, problems) };
}

/** A marker that cannot be read still marks a gap. */
async function readGap(
  vault: Vault,
  { name, sizeBytes }: ObjectInfo,
  { from, to }: LogName,
  problems: string[],
): Promise<GapMarker> {
  const marker = sizeBytes > MAX_GAP_BYTES ? null : decodeGap(await vault.readRange(name, 0, sizeBytes));
  if (marker !== null && marker.from === from && marker.to === to) return marker;
  problems.push(`gap marker ${name} is damaged`);
  return { from, to, reason: 'unknown', message: 'its marker is damaged', noticedAt: '' };
}

interface OpenSpan {
  readonly from: bigint;
  to: bigint;
  readonly files: LogFile[];
}

/**
 * Puts files together by their names: of those that begin at one position the longest counts, and what lies inside of
 * it is covered. A gap marker parts spans even where names would join them.
 */
export function arrangeFiles(
  files: readonly LogFile[],
  gaps: readonly Pick<GapMarker, 'from' | 'to'>[],
  problems: readonly string[] = [],
): Pick<LogTimeline, 'spans' | 'covered' | 'problems'> {
  const spans: OpenSpan[] = [];
  const covered: LogFile[] = [];
  const found = [...problems];
  for (const file of [...files].sort(byRange)) {
    const last = spans.at(-1);
    if (last !== undefined && file.to <= last.to) {
      covered.push(file);
    } else if (
      last !== undefined &&
      last.to === file.from &&
      gapBehind(gaps, last.files.at(-1)!) === undefined
    ) {
      last.files.push(file);
      last.to = file.to;
    } else {
      if (last !== undefined) found.push(...describeBreak(last.to, file, gaps));
      spans.push({ from: file.from, to: file.to, files: [file] });
    }
  }
  return { spans, covered, problems: found };
}

/** The file that says that a log begins holds no commit and comes before those that do; else longer ones come first. */
function byRange(a: LogFile, b: LogFile): number {
  if (a.from !== b.from) return a.from < b.from ? -1 : 1;
  if (isBegin(a) !== isBegin(b)) return isBegin(a) ? -1 : 1;
  return a.to > b.to ? -1 : 1;
}

function isBegin({ from, to }: Pick<LogFile, 'from' | 'to'>): boolean {
  return from === to;
}

/**
 * The gap that begins where a file ends. One that ends there lies before the file that says that a log begins, and behind any
 * other.
 */
export function gapBehind<Gap extends Pick<GapMarker, 'from' | 'to'>>(
  gaps: readonly Gap[],
  file: Pick<LogFile, 'from' | 'to'>,
): Gap | undefined {
  const { to: end } = file;
  return gaps.find(({ from, to }) => from <= end && (to > end || (to === end && !isBegin(file))));
}

/** True when a marker says that something may be missing where one span ends at `from` and the next begins at `to`. */
function isMarked(gaps: readonly Pick<GapMarker, 'from' | 'to'>[], from: bigint, to: bigint): boolean {
  return gaps.some((gap) => gap.from <= from && gap.to >= to);
}

function describeBreak(
  end: bigint,
  file: LogFile,
  gaps: readonly Pick<GapMarker, 'from' | 'to'>[],
): string[] {
  if (file.from < end)
    return [`${file.name} begins before ${positionText(end)}, where the file before it ends`];
  if (isMarked(gaps, end, file.from)) return [];
  return [`nothing is there from ${positionText(end)} to ${positionText(file.from)}, and no gap is marked`];
}
