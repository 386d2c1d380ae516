import type { Horizon, TransactionTable } from '../core/change-feed.ts';
import type { Vault } from '../core/vault.ts';
import type { LogFile, LogSpan, LogTimeline } from '../format/log-catalog.ts';
import { type BlockHeader, partOf } from '../format/log-header.ts';
import { quietUntil, type RunEnd } from '../format/log-quiet.ts';
import { type LogBlock, readingOf, readLogBlocks } from '../format/log-reader.ts';
import { type BasePoint, belongsTo, reachesBack } from './meeting.ts';
import { noRemovals, noteRemoval, type RemovedEvents } from './removals.ts';
import { type Bound, firstBeyond, placeBlock } from './target.ts';
import type { SpanFacts } from './windows.ts';

/** What the first and the last block of an unbroken run of a log say, and what is known of the time behind. Throws `damaged`. */
export async function readSpanFacts(vault: Vault, timeline: LogTimeline, span: LogSpan): Promise<SpanFacts> {
  let since: bigint | null = null;
  for await (const { header } of readLogBlocks(vault, span.files.slice(0, 1))) {
    since = header.asOf;
    break;
  }
  let last: RunEnd | null = null;
  for await (const { header, digest } of readLogBlocks(vault, span.files.slice(-1)))
    last = { header, digest };
  // A file without a block is refused by its reader.
  const until = await quietUntil(vault, timeline, span.to, last!);
  return { timeline, span, source: last!.header.source, since: since!, until };
}

/** From where on a log is read to carry on a base. */
export interface LogStart {
  readonly files: readonly LogFile[];
  /** All that commits before it is in the base. */
  readonly position: bigint;
  /** What is read begins where the run of the log does. */
  readonly isWhole: boolean;
}

/**
 * Finds where to begin, going back from the base's position: where all that the base could not see lies behind; and, as
 * `lookBack` asks, so that a commit before the base's position is among what is read. Null: the log does not reach back so far.
 */
export async function findStart(
  vault: Vault,
  span: LogSpan,
  base: BasePoint,
  lookBack: boolean,
): Promise<LogStart | null> {
  let best: Horizon | null = null;
  let hasCommit = false;
  let at = span.files.findLastIndex(({ from }) => from <= base.position);
  if (at === -1) return null;
  for (; at > 0; at -= 1) {
    const seen = await lookAtFile(vault, span, base, span.files[at]!);
    best = later(best, seen.horizon);
    hasCommit ||= seen.hasCommit;
    if ((hasCommit || !lookBack) && (best !== null || base.oldestOpen === null)) break;
  }
  if (at === 0) best = later(best, (await lookAtFile(vault, span, base, span.files[0]!)).horizon);
  if (best === null && !reachesBack(base, span.from, null)) return null;
  const position = best?.position ?? base.position;
  const first = span.files.findLastIndex(({ from }) => from <= position);
  const begin = Math.max(0, Math.min(at, first));
  return { files: span.files.slice(begin), position, isWhole: begin === 0 };
}

async function lookAtFile(
  vault: Vault,
  span: LogSpan,
  base: BasePoint,
  file: LogFile,
): Promise<{ horizon: Horizon | null; hasCommit: boolean }> {
  const seen = { horizon: null as Horizon | null, hasCommit: false };
  for await (const { header } of readLogBlocks(vault, [file])) {
    const { horizon, firstCommit } = header;
    if (horizon !== null && reachesBack(base, span.from, horizon))
      seen.horizon = later(seen.horizon, horizon);
    if (firstCommit !== null && firstCommit < base.position) seen.hasCommit = true;
  }
  return seen;
}

function later(a: Horizon | null, b: Horizon | null): Horizon | null {
  if (a === null || b === null) return a ?? b;
  return a.position > b.position ? a : b;
}

/** A run of a log, laid on a base. */
export interface Laying {
  readonly facts: SpanFacts;
  readonly base: BasePoint;
  readonly start: LogStart;
}

/** What lies between base and target, told from headers and tables of transactions: no event is read for it. */
export interface Measured {
  /** Commit of the first transaction beyond the target; null when the log has none. */
  readonly cut: bigint | null;
  /** Why the base cannot be used for this target; null when it can. */
  readonly misfit: string | null;
  /** Greatest commit and latest time within; null when there is nothing. */
  readonly lastCommit: bigint | null;
  readonly lastTime: bigint | null;
  /** Events and bytes of what is read within; some may be in the base too. */
  readonly events: number;
  readonly bytes: number;
  readonly removed: RemovedEvents;
}

type Counting = { -readonly [Key in keyof Measured]: Measured[Key] } & {
  /** Of the next event, counted from the first block on. */
  number: number;
};

const BEYOND = 'it holds, or may hold, what committed beyond that';
const UNSEEN =
  'events were removed shortly before it was taken, and a standby does not tell whether it had seen that';

/** Goes through the headers from the start on to the first transaction beyond the bound. Throws `damaged`. */
export async function measureLog(
  vault: Vault,
  laying: Laying,
  bound: Bound,
  signal?: AbortSignal,
): Promise<Measured> {
  const { base, start } = laying;
  const count: Counting = {
    ...{ cut: null, misfit: isUnknown(laying, bound) ? BEYOND : null, lastCommit: null, lastTime: null },
    ...{ events: 0, bytes: 0, number: 0, removed: noRemovals() },
  };
  const options = { ...readingOf(laying.facts.timeline), signal };
  for await (const block of readLogBlocks(vault, start.files, options)) {
    if (count.misfit !== null) break;
    const isCut = count.cut !== null;
    if (!isCut && (await takeBlock(count, laying, block, bound)) === null) continue;
    if (count.cut! >= base.position || block.from >= base.position) break;
    if (await showsBeyond(laying, block, count)) count.misfit = BEYOND;
  }
  return count;
}

/** The base may hold what lies beyond the bound and before all that is read. */
function isUnknown({ base, start }: Laying, bound: Bound): boolean {
  return bound.kind === 'before' && bound.position < start.files[0]!.from && base.position > bound.position;
}

/** Counts what lies within of a block. Gives the commit of the first transaction that does not; null when all does. */
async function takeBlock(
  count: Counting,
  { base, start }: Laying,
  block: LogBlock,
  bound: Bound,
): Promise<bigint | null> {
  const { header } = block;
  const place = placeBlock(bound, header);
  const hasRemovals = partOf(header, 'removals') !== null;
  const table = place === 'within' && !hasRemovals ? null : await block.transactions();
  const beyond = place === 'within' ? -1 : firstBeyond(bound, table!);
  const within = beyond === -1 ? header.transactions : beyond;
  const part = partOf(header, 'events');
  if (within > 0) {
    const last = beyond === -1 ? header : lastOf(table!, within);
    count.lastCommit = last.lastCommit;
    if (count.lastTime === null || last.latest! > count.lastTime) count.lastTime = last.latest;
    if (hasRemovals) await noteRemovals(count, base, block, table!, within);
    if (header.lastCommit! >= start.position && part !== null) {
      count.events += beyond === -1 ? part.records : sumEvents(table!, within);
      count.bytes += part.storedBytes;
    }
  }
  count.number += part?.records ?? 0;
  if (beyond !== -1) count.cut = table!.commits[beyond]!;
  return count.cut;
}

function lastOf(table: TransactionTable, count: number): Pick<BlockHeader, 'lastCommit' | 'latest'> {
  let latest = table.times[0]!;
  for (let i = 1; i < count; i += 1) if (table.times[i]! > latest) latest = table.times[i]!;
  return { lastCommit: table.commits[count - 1]!, latest };
}

function sumEvents({ events }: TransactionTable, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i += 1) sum += events[i]!;
  return sum;
}

async function noteRemovals(
  count: Counting,
  base: BasePoint,
  block: LogBlock,
  { xids, commits }: TransactionTable,
  within: number,
): Promise<void> {
  for (const removal of await block.removals()) {
    const { transaction, afterEvents } = removal;
    if (transaction >= within) continue;
    const owner = belongsTo(base, xids[transaction]!, commits[transaction]!);
    if (owner === 'heads') {
      count.misfit = UNSEEN;
    } else if (owner === 'log') {
      noteRemoval(count.removed, removal, count.number + afterEvents);
    }
  }
}

/** Whether the base saw, or may have seen, a transaction of this block that lies behind the cut. */
async function showsBeyond({ base, start }: Laying, block: LogBlock, count: Counting): Promise<boolean> {
  // Where the first thing that is read is beyond, so may be what is before it.
  if (count.lastCommit === null && !start.isWhole) return true;
  const { firstCommit, lastCommit } = block.header;
  if (firstCommit === null || lastCommit! < count.cut!) return false;
  const table = await block.transactions();
  for (let i = 0; i < table.count; i += 1) {
    const commit = table.commits[i]!;
    if (commit < count.cut! || commit >= base.position) continue;
    if (belongsTo(base, table.xids[i]!, commit) !== 'log') return true;
  }
  return false;
}
