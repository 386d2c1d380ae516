import type { RetentionRule } from '../core/retention-rule.ts';
import { formatSpan } from './duration.ts';
import {
  type BackupFacts,
  CLOCK_SLACK_MS,
  type Decision,
  isUsable,
  type LogFacts,
  type LogFileFacts,
  shortId,
  type VaultFacts,
} from './retention-facts.ts';

/** Every instant from here on stays recoverable. */
export interface LogWindow {
  readonly startMs: number;
  /** A base may hold what committed this long after it was taken, by the store's clock. */
  readonly slackMs: number;
  readonly name: string;
}

/**
 * The window that a rule asks for; null where it says nothing of the log. It counts back from now, or from the newest backup or
 * commit where nothing came since.
 */
export function logWindow(facts: VaultFacts, { logMs }: RetentionRule, nowMs: number): LogWindow | null {
  if (logMs === undefined) return null;
  const newestMs = Math.max(
    ...facts.backups.filter((backup) => isUsable(backup, nowMs)).map(({ createdAtMs }) => createdAtMs),
    ...facts.logs.flatMap(({ spans }) => spans.map(({ untilMs }) => untilMs ?? Number.NEGATIVE_INFINITY)),
  );
  const sinceMs = Number.isFinite(newestMs) ? Math.min(nowMs, newestMs) : nowMs;
  const name = `the change log's window of ${formatSpan(logMs)}`;
  return { startMs: sinceMs - logMs, slackMs: CLOCK_SLACK_MS, name };
}

/** As long as the oldest backup that is kept; null when none is. */
export function windowOfKept({ backups }: VaultFacts, kept: ReadonlyMap<string, unknown>): LogWindow | null {
  const oldest = backups.find(({ backupId }) => kept.has(backupId));
  if (oldest === undefined) return null;
  const name = `the time since ${shortId(oldest.backupId)}, the oldest that a rule keeps`;
  return { startMs: oldest.createdAtMs, slackMs: 0, name };
}

/** The backups that the window cannot do without. */
export function basesOf(facts: VaultFacts, window: LogWindow, nowMs: number): BackupFacts[] {
  const bases = facts.logs.flatMap((log) =>
    log.spans.flatMap((_, span) => needsOf(facts, log, span, window, nowMs).map(({ base }) => base)),
  );
  return [...new Set(bases)].filter((base) => base !== null);
}

interface Need {
  /** Null: no backup is carried on by this run. */
  readonly base: BackupFacts | null;
  /** Place in the run of the first file that is needed. */
  readonly first: number;
}

/**
 * What of a run of the log is needed: by what can be counted on, and by what could be if it were mended that was found unsound. A
 * verdict may be wrong, or over.
 */
function needsOf(facts: VaultFacts, log: LogFacts, place: number, window: LogWindow, nowMs: number): Need[] {
  const mended = facts.backups.map((backup) => ({ ...backup, verified: null }));
  const all = [facts.backups, mended].map((backups) => needOf(backups, log, place, window, nowMs));
  const needs = all.filter((need) => need !== null);
  return needs[0]?.base?.backupId === needs[1]?.base?.backupId ? needs.slice(0, 1) : needs;
}

/**
 * What of a run of the log is needed: from the newest base on that was taken before the window begins. Where all were taken
 * later, from the oldest, and what else the window has, since another vault may hold a base for it.
 */
function needOf(
  backups: readonly BackupFacts[],
  { folder, spans }: LogFacts,
  place: number,
  window: LogWindow,
  nowMs: number,
): Need | null {
  const { files, untilMs } = spans[place]!;
  if (untilMs !== null && untilMs < window.startMs) return null;
  const bases = backups.flatMap((backup) => {
    const start = backup.carriedBy.find((carried) => carried.folder === folder && carried.span === place);
    return start === undefined || !isUsable(backup, nowMs)
      ? []
      : [{ backup, first: firstOf(files, start.file) }];
  });
  const before = bases.findLast(({ backup }) => backup.createdAtMs <= window.startMs - window.slackMs);
  if (before !== undefined) return { base: before.backup, first: before.first };
  const within = files.findIndex(({ modifiedAtMs }) => modifiedAtMs >= window.startMs);
  // What cannot be read is younger than anything.
  const first = within === -1 ? files.length - 1 : within;
  const [oldest] = bases;
  if (oldest === undefined) return { base: null, first };
  return { base: oldest.backup, first: Math.min(first, oldest.first) };
}

function firstOf(files: readonly LogFileFacts[], name: string): number {
  const place = files.findIndex((file) => file.name === name);
  return place === -1 ? 0 : place;
}

export type LogDecision = Decision<{
  readonly kind: 'file' | 'gap' | 'mark' | 'key';
  readonly name: string;
  readonly sizeBytes: number;
  /** Null of gap markers and key records. */
  readonly modifiedAtMs: number | null;
  /** Positions; null of a key record. */
  readonly from: bigint | null;
  readonly to: bigint | null;
}>;

export interface LogPlan {
  readonly folder: string;
  /** In the order in which they are removed: what is left is never a log with a hole that was not there before. */
  readonly objects: readonly LogDecision[];
}

/** `window` null: nothing of the logs is removed. */
export function planLogs(facts: VaultFacts, window: LogWindow | null, nowMs: number): LogPlan[] {
  const newest = newestLog(facts.logs);
  return facts.logs.map((log) => planLog(facts, log, window, { isNewest: log === newest, nowMs }));
}

/** The one that an archiver goes on with. */
function newestLog(logs: readonly LogFacts[]): LogFacts | undefined {
  const writtenAtMs = ({ spans }: LogFacts): number => spans.at(-1)?.files.at(-1)?.modifiedAtMs ?? 0;
  return logs.reduce<LogFacts | undefined>(
    (newest, log) => (newest === undefined || writtenAtMs(log) >= writtenAtMs(newest) ? log : newest),
    undefined,
  );
}

function planLog(
  facts: VaultFacts,
  log: LogFacts,
  window: LogWindow | null,
  { isNewest, nowMs }: { isNewest: boolean; nowMs: number },
): LogPlan {
  const files = log.spans.flatMap((span) => span.files);
  const needs = window === null ? [] : findNeeds(facts, log, window, nowMs);
  const end = isNewest ? Math.max(0, files.length - 1) : files.length;
  const cut = window === null ? 0 : Math.min(end, ...needs.map(({ first }) => first));
  const cutAt = files[cut]?.from ?? null;
  const why = (file: LogFileFacts, place: number): string => {
    if (window === null) return 'no backup is kept by which the log could be judged';
    if (file.modifiedAtMs >= window.startMs) return `within ${window.name}`;
    const need = needs.findLast(({ first }) => first <= place);
    if (need?.base != null) return `leads from backup ${shortId(need.base.backupId)} on into ${window.name}`;
    return need === undefined ? 'the log goes on from here' : 'behind what is kept: a log gets no hole';
  };
  const gone = [`before ${window?.name ?? ''}`];
  const decide = (kept: boolean, reason: () => string): Pick<LogDecision, 'kept' | 'reasons'> =>
    kept ? { kept, reasons: [reason()] } : { kept, reasons: gone };
  // A folder without files may be that of a log that is about to begin.
  const isAllGone = cutAt === null && files.length > 0;
  const isBefore = ({ to }: Pick<LogFileFacts, 'to'>): boolean =>
    isAllGone || (cutAt !== null && to <= cutAt);
  const decided: LogDecision[] = [
    ...files.map((file, place) => ({
      item: fileItem(file),
      ...decide(place >= cut, () => why(file, place)),
    })),
    ...log.covered.map((file) => ({
      item: fileItem(file),
      ...decide(!isBefore(file), () => 'a compaction removes it: a longer file holds it too'),
    })),
  ].sort(byEnd);
  const gaps = log.gaps.map((gap) => ({
    item: { ...gap, kind: 'gap' as const, modifiedAtMs: null },
    ...decide(!isBefore(gap), () => 'marks a gap in what is kept'),
  }));
  const marks = log.marks.map((mark) => ({
    item: { ...fileItem(mark), kind: 'mark' as const },
    ...decide(!isBefore(mark), () => 'says up to when nothing more was committed'),
  }));
  const left = new Set(decided.flatMap(({ item, kept }) => (kept ? [item.name] : [])));
  const keys = log.keyRecords.map(({ name, sizeBytes, files: sealed }) => {
    // One that seals nothing yet may be of a log that goes on right now.
    const isSpent = sealed !== null && sealed.length > 0 && !sealed.some((file) => left.has(file));
    const item = { kind: 'key' as const, name, sizeBytes, modifiedAtMs: null, from: null, to: null };
    return {
      item,
      ...decide(!isAllGone && !isSpent, () => 'what is kept of this log may be sealed with it'),
    };
  });
  return { folder: log.folder, objects: [...decided, ...gaps, ...marks, ...keys] };
}

/** In the order of the files, counted through all runs. */
function findNeeds(facts: VaultFacts, log: LogFacts, window: LogWindow, nowMs: number): Need[] {
  let before = 0;
  return log.spans.flatMap(({ files }, span) => {
    const needs = needsOf(facts, log, span, window, nowMs);
    const placed = needs.map((need) => ({ ...need, first: before + need.first }));
    before += files.length;
    return placed.sort((a, b) => a.first - b.first);
  });
}

function fileItem({ name, sizeBytes, modifiedAtMs, from, to }: LogFileFacts): LogDecision['item'] {
  return { kind: 'file', name, sizeBytes, modifiedAtMs, from, to };
}

/** What a longer file holds too goes before that one. */
function byEnd({ item: a }: LogDecision, { item: b }: LogDecision): number {
  if (a.to !== b.to) return a.to! < b.to! ? -1 : 1;
  return a.from! === b.from! ? 0 : a.from! > b.from! ? -1 : 1;
}
