import type { BackupError } from '../core/errors.ts';
import type { StoreKind } from '../core/event-store.ts';
import { formatTime } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import type { Catalog } from '../format/catalog.ts';
import { type Chain, newestRestorePoint } from '../format/chain.ts';
import type { LogFile, LogTimeline } from '../format/log-catalog.ts';
import { type FoundTarget, findTarget } from './find-target.ts';
import { findStart, type Measured, measureLog } from './measure.ts';
import { type BasePoint, basePoint, isOfSource } from './meeting.ts';
import { type Attempt, covers, isThePoint, refusePoint, whyTooLate } from './point.ts';
import { formatPosition } from './position.ts';
import { backupPoint, carriedSpans, readSoundSpan, readSpans, standsIn, wholeChains } from './survey.ts';
import type { RecoveryTarget } from './target.ts';
import { recoveryWindows, type SpanFacts } from './windows.ts';

/** The part of a log that carries a base on to the target. */
export interface LogPart {
  readonly facts: SpanFacts;
  readonly base: BasePoint;
  readonly files: readonly LogFile[];
  /** All that commits before it is in the base. */
  readonly from: bigint;
  readonly measured: Measured;
}

/** What a recovery will restore, decided before anything is touched. */
export interface RecoveryPlan {
  readonly target: RecoveryTarget;
  readonly chain: Chain;
  /** Null when the backup alone is the point. */
  readonly log: LogPart | null;
  readonly reached: ReachedPoint;
  /** Why these, in words. */
  readonly reasons: readonly string[];
}

/** The point that a recovery brings back. */
export interface ReachedPoint {
  /** RFC 3339: of the last commit that is in it, or of the backup. */
  readonly time: string;
  /** The commit of the last transaction that is in it, or where the backup stands; null where that is not known. */
  readonly lsn: string | null;
}

export interface RecoverySources {
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly timelines: readonly LogTimeline[];
}

/**
 * Finds the newest backup from which the target can be reached, and the part of the log that leads there. Throws
 * `no_restore_point`, `log_gap`, or `damaged` where the log is.
 */
export async function planRecovery(
  { vault, catalog, timelines }: RecoverySources,
  target: RecoveryTarget,
  signal?: AbortSignal,
): Promise<RecoveryPlan> {
  const { spans, damage } = await spansFor(target, vault, timelines);
  const found = await findTarget(vault, spans, target, signal);
  const attempts: Attempt[] = [];
  for (const chain of spans.length === 0 ? [] : wholeChains(catalog)) {
    const tried = await tryChain(vault, chain, { spans, found, signal });
    if ('outcome' in tried) attempts.push(tried);
    else if (!isBehindNewest(tried, catalog, target)) {
      return composePlan(target, chain, tried, explain(tried, chain, attempts, found, spans));
    }
  }
  for (const chain of wholeChains(catalog)) {
    if (!isThePoint(backupPoint(chain.at(-1)!.manifest), target)) continue;
    return composePlan(target, chain, null, [aloneReason(chain, target, attempts)]);
  }
  // What cannot be read may be what leads there.
  if (damage !== null) throw damage;
  // Where there is no backup, or none that can be used, this says so.
  newestRestorePoint(catalog, vault.address);
  const windows = recoveryWindows(
    [...wholeChains(catalog)].map((chain) => backupPoint(chain.at(-1)!.manifest)),
    await carriedSpans(vault, catalog, spans),
  );
  throw refusePoint(target, attempts, windows, kindOf(catalog, spans));
}

/** The newest point is not there while the end of a log cannot be read; any other may lie before that. */
async function spansFor(
  target: RecoveryTarget,
  vault: Vault,
  timelines: readonly LogTimeline[],
): Promise<{ spans: SpanFacts[]; damage: BackupError | null }> {
  if (target.kind === 'latest') return { spans: await readSpans(vault, timelines), damage: null };
  const spans: SpanFacts[] = [];
  let damage: BackupError | null = null;
  for (const timeline of timelines) {
    for (const span of timeline.spans) {
      const sound = await readSoundSpan(vault, timeline, span);
      if (sound.facts !== null) spans.push(sound.facts);
      damage ??= sound.damage;
    }
  }
  return { spans, damage };
}

interface Search {
  readonly spans: readonly SpanFacts[];
  readonly found: FoundTarget;
  readonly signal: AbortSignal | undefined;
}

/** Tries to reach the target from one backup, in the newest log that carries it on. */
async function tryChain(vault: Vault, chain: Chain, search: Search): Promise<LogPart | Attempt> {
  const { manifest } = chain.at(-1)!;
  const { backupId, cursor } = manifest;
  const { bound, span: wanted } = search.found;
  const late = whyTooLate(backupPoint(manifest), bound);
  if (late !== null) return { backupId, outcome: 'later', reason: late };
  const base = basePoint(cursor);
  if (typeof base === 'string') return { backupId, outcome: 'not-met', reason: base };
  let failure: Attempt = { backupId, outcome: 'not-met', reason: 'no log holds what came after it' };
  const own = search.spans.filter(({ source }) => isOfSource(cursor, source));
  for (const facts of own.toSorted((a, b) => (a.until < b.until ? 1 : -1))) {
    if (wanted !== null && facts.timeline !== wanted.timeline) continue;
    if (facts.span.to < base.position) failure = { backupId, outcome: 'ends', at: facts };
    if (!standsIn(manifest, base, facts)) continue;
    const tried = await tryRun(vault, { backupId, base, facts }, search);
    if (!('outcome' in tried)) return tried;
    failure = tried;
  }
  return failure;
}

async function tryRun(
  vault: Vault,
  { backupId, base, facts }: { backupId: string; base: BasePoint; facts: SpanFacts },
  { found: { bound }, signal }: Search,
): Promise<LogPart | Attempt> {
  if (!covers(facts, bound)) return { backupId, outcome: 'ends', at: facts };
  const start = await findStart(vault, facts.span, base, bound.kind === 'time');
  if (start === null) {
    const reason = 'the log begins after the oldest transaction that was open when it was taken';
    return { backupId, outcome: 'not-met', reason };
  }
  const measured = await measureLog(vault, { facts, base, start }, bound, signal);
  if (measured.misfit !== null) return { backupId, outcome: 'later', reason: measured.misfit };
  return { facts, base, files: start.files, from: start.position, measured };
}

/** An older backup is carried on as the newest point only where that leads past the newest backup. */
function isBehindNewest({ facts }: LogPart, catalog: Catalog, target: RecoveryTarget): boolean {
  if (target.kind !== 'latest') return false;
  const [newest] = wholeChains(catalog);
  const { manifest } = newest!.at(-1)!;
  const base = basePoint(manifest.cursor);
  if (typeof base !== 'string' && standsIn(manifest, base, facts)) return false;
  return facts.until <= backupPoint(manifest).createdAt;
}

function composePlan(
  target: RecoveryTarget,
  chain: Chain,
  log: LogPart | null,
  reasons: readonly string[],
): RecoveryPlan {
  const { manifest } = chain.at(-1)!;
  const { position, kind } = backupPoint(manifest);
  const last = log?.measured.lastCommit ?? position;
  const reached: ReachedPoint = {
    time: log?.measured.lastTime == null ? manifest.createdAt : formatTime(log.measured.lastTime),
    lsn: last === null ? null : formatPosition(last, kind),
  };
  return { target, chain, log, reached, reasons };
}

function explain(
  { facts, from }: LogPart,
  chain: Chain,
  attempts: readonly Attempt[],
  { bound, reason, span }: FoundTarget,
  spans: readonly SpanFacts[],
): string[] {
  const { backupId, createdAt } = chain.at(-1)!.manifest;
  const { timeline, source } = facts;
  const others = spans.filter(
    (other) => other.timeline !== timeline && span === null && bound.kind !== 'end' && covers(other, bound),
  );
  return [
    ...(reason === null ? [] : [reason]),
    `backup ${backupId} of ${createdAt} is the newest that the target can be reached from`,
    ...attempts.flatMap((attempt) =>
      attempt.outcome === 'not-met' ? [`backup ${attempt.backupId} is newer, but ${attempt.reason}`] : [],
    ),
    `the log of timeline ${timeline.timeline} carries it on from ${formatPosition(from, source.kind)}`,
    ...(others.length === 0
      ? []
      : [`logs of other timelines go as far (${others.map((other) => other.timeline.folder).join(', ')})`]),
  ];
}

function aloneReason(chain: Chain, target: RecoveryTarget, attempts: readonly Attempt[]): string {
  const { backupId } = chain.at(-1)!.manifest;
  if (target.kind !== 'latest') return `backup ${backupId} was taken at that very point`;
  const why = attempts.find((attempt) => attempt.backupId === backupId);
  const reason = why?.outcome === 'not-met' ? why.reason : 'no log goes further';
  return `backup ${backupId} is the newest point: ${reason}`;
}

function kindOf({ backups }: Catalog, spans: readonly SpanFacts[]): StoreKind {
  return spans.at(-1)?.source.kind ?? backups.at(-1)?.manifest.cursor.kind ?? 'postgres';
}
