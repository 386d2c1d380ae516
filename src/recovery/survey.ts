import { type BackupError, isBackupError } from '../core/errors.ts';
import type { Manifest } from '../core/manifest.ts';
import { parseTime } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import type { Catalog } from '../format/catalog.ts';
import { type Chain, followChain, isBroken } from '../format/chain.ts';
import type { LogSpan, LogTimeline } from '../format/log-catalog.ts';
import { findStart, readSpanFacts } from './measure.ts';
import { type BasePoint, basePoint, isOfSource } from './meeting.ts';
import {
  type BackupPoint,
  type CarriedSpan,
  type LogGap,
  listGaps,
  type RecoveryWindow,
  recoveryWindows,
  type SpanFacts,
} from './windows.ts';

/** The runs of all logs, with what their ends say. Throws `damaged`. */
export async function readSpans(vault: Vault, timelines: readonly LogTimeline[]): Promise<SpanFacts[]> {
  const spans: SpanFacts[] = [];
  for (const timeline of timelines) {
    for (const span of timeline.spans) spans.push(await readSpanFacts(vault, timeline, span));
  }
  return spans;
}

export interface SoundSpan {
  /** Up to the damage; null when nothing before it can be read. */
  readonly facts: SpanFacts | null;
  readonly damage: BackupError | null;
}

/** As much of a run as can be read: damage at its end takes nothing from what is before it. */
export async function readSoundSpan(vault: Vault, timeline: LogTimeline, span: LogSpan): Promise<SoundSpan> {
  let damage: BackupError | null = null;
  for (let { files } = span; files.length > 0; files = files.slice(0, -1)) {
    try {
      const sound: LogSpan = { from: span.from, to: files.at(-1)!.to, files };
      return { facts: await readSpanFacts(vault, timeline, sound), damage };
    } catch (error) {
      if (!isBackupError(error, 'damaged', 'store_unsupported')) throw error;
      damage ??= error;
    }
  }
  return { facts: null, damage };
}

export function backupPoint({ backupId, createdAt, cursor }: Manifest): BackupPoint {
  const base = basePoint(cursor);
  return {
    ...{ backupId, kind: cursor.kind },
    createdAt: parseTime(createdAt) ?? 0n,
    // Rows are numbered one by one: the last one that it saw is the last position that it holds.
    position: typeof base === 'string' ? null : base.position - (cursor.kind === 'postgres' ? 0n : 1n),
  };
}

/** The chains of a vault that are whole, newest first: followed one by one, as they are asked for. */
export function* wholeChains(catalog: Catalog): Generator<Chain> {
  for (const entry of catalog.backups.toReversed()) {
    const chain = followChain(catalog, entry);
    if (!isBroken(chain)) yield chain;
  }
}

/**
 * Whether a base stands within an unbroken run of its own store's log. Rows are numbered anew where a store was restored, and
 * only time tells these from those before; PostgreSQL has other timelines then.
 */
export function standsIn(
  { cursor, createdAt }: Manifest,
  { position }: BasePoint,
  { source, span, since }: SpanFacts,
): boolean {
  if (!isOfSource(cursor, source) || position < span.from || position > span.to) return false;
  if (cursor.kind === 'postgres' || position === span.from) return true;
  // Backups are known by the millisecond.
  return (parseTime(createdAt) ?? 0n) + 999n >= since;
}

/** Each run of a log with the oldest backup that it carries on; those that carry on none are left out. */
export async function carriedSpans(
  vault: Vault,
  catalog: Catalog,
  spans: readonly SpanFacts[],
): Promise<CarriedSpan[]> {
  const oldestFirst = [...wholeChains(catalog)].map((chain) => chain.at(-1)!.manifest).reverse();
  const carried: CarriedSpan[] = [];
  for (const facts of spans) {
    for (const manifest of oldestFirst) {
      const base = basePoint(manifest.cursor);
      if (typeof base === 'string' || !standsIn(manifest, base, facts)) continue;
      if ((await findStart(vault, facts.span, base, false)) === null) continue;
      const point = backupPoint(manifest);
      carried.push({ ...facts, base: { ...point, position: point.position ?? base.position } });
      break;
    }
  }
  return carried;
}

export interface LogSurvey {
  readonly windows: readonly RecoveryWindow[];
  readonly gaps: readonly LogGap[];
  readonly spans: readonly SpanFacts[];
  /** What is damaged, or cannot be right. */
  readonly problems: readonly string[];
}

/** What a vault can bring back, for people to look at: a damaged part of a log is named, and the rest still shown. */
export async function surveyLogs(
  vault: Vault,
  catalog: Catalog,
  timelines: readonly LogTimeline[],
): Promise<LogSurvey> {
  const spans: SpanFacts[] = [];
  const carried: CarriedSpan[] = [];
  const problems: string[] = [];
  for (const timeline of timelines) {
    problems.push(...timeline.problems);
    for (const span of timeline.spans) {
      const { facts, damage } = await readSoundSpan(vault, timeline, span);
      if (damage !== null) problems.push(damage.message);
      if (facts === null) continue;
      spans.push(facts);
      try {
        carried.push(...(await carriedSpans(vault, catalog, [facts])));
      } catch (error) {
        if (!isBackupError(error, 'damaged', 'store_unsupported')) throw error;
        problems.push(error.message);
      }
    }
  }
  const points = [...wholeChains(catalog)].map((chain) => backupPoint(chain.at(-1)!.manifest)).reverse();
  return { windows: recoveryWindows(points, carried), gaps: listGaps(timelines, spans), spans, problems };
}
