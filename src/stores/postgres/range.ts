import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import type { StoreRange, StreamTail } from '../../core/event-store.ts';

/** Blocks of the events table from `from` (inclusive) to `to` (exclusive, null: to the end). */
export interface BlockRange {
  readonly from: number;
  readonly to: number | null;
  /** Only rows that the view of this pg_snapshot could not see, and perhaps some that it saw. */
  readonly since?: string;
}

interface TailsRange {
  readonly tails: readonly (readonly [stream: string, fromVersion: number])[];
}

export const BLOCK_BYTES = 8192;
/** Below this a further connection costs more than it saves. */
const MIN_RANGE_BLOCKS = 256;

/** Files of a backup, and lines of its manifest, that are not yet a burden. */
const MAX_RANGES = 10_000;

/**
 * Cuts a table of `tableBytes` into at most `parallel` ranges of about the same size, or into a multiple of as many where
 * they would be larger than `rangeBytes`. The last one is open: rows that came after the size was read are in it.
 */
export function cutIntoRanges(
  tableBytes: number,
  parallel: number,
  rangeBytes = Number.POSITIVE_INFINITY,
): StoreRange[] {
  const blocks = Math.ceil(tableBytes / BLOCK_BYTES);
  const rounds = Math.max(1, Math.ceil(tableBytes / rangeBytes / Math.floor(parallel)));
  const wanted = Math.min(rounds * Math.floor(parallel), Math.max(parallel, MAX_RANGES));
  const count = Math.max(1, Math.min(wanted, Math.floor(blocks / MIN_RANGE_BLOCKS)));
  const bound = (index: number): number => Math.floor((blocks * index) / count);
  return Array.from({ length: count }, (_, index): StoreRange => {
    const range: BlockRange = { from: bound(index), to: index === count - 1 ? null : bound(index + 1) };
    return { index, spec: JSON.stringify(range) };
  });
}

/** The whole table, or a few large parts of it, and of them only what `since` (a pg_snapshot) could not see. */
export function cutChanges(tableBytes: number, parallel: number, since: string): StoreRange[] {
  const worthwhile = Math.max(1, Math.floor(tableBytes / LEAST_CHANGES_BYTES));
  return cutIntoRanges(tableBytes, Math.min(parallel, worthwhile)).map(({ index, spec }) => {
    return {
      index,
      spec: JSON.stringify({ ...(JSON.parse(spec) as BlockRange), since } satisfies BlockRange),
    };
  });
}

/**
 * Of these ranges only what `since` (a pg_snapshot) could not see. Neighbours are joined, as long as they are not much to
 * look through. Throws `usage` when another adapter made a range.
 */
export function narrowRanges(ranges: readonly StoreRange[], since: string): StoreRange[] {
  const joined: BlockRange[] = [];
  for (const { from, to } of ranges.map(blocksOf).sort((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    const isNear = last?.to === from && (from - last.from) * BLOCK_BYTES < JOINED_BYTES;
    if (isNear) joined[joined.length - 1] = { from: last.from, to, since };
    else joined.push({ from, to, since });
  }
  return joined.map((range, index) => ({ index, spec: JSON.stringify(range) }));
}

/** Throws `usage` when it is no range of blocks. */
export function blocksOf({ spec }: StoreRange): BlockRange {
  const range = parseSpec(spec);
  if ('from' in range) return range;
  throw new BackupError('usage', `${JSON.stringify(spec)} is no range of blocks`);
}

/** To look through this much takes a server up to half a second, most of it to map the pages that it has in memory. */
const LEAST_CHANGES_BYTES = 256 << 20;

/** Ranges are read one after the other: each statement more takes longer to begin. */
const JOINED_BYTES = 1 << 30;

/** A statement of this many streams is planned and run quickly. */
const TAILS_PER_RANGE = 1000;

export function cutTails(tails: readonly StreamTail[]): StoreRange[] {
  return Array.from({ length: Math.ceil(tails.length / TAILS_PER_RANGE) }, (_, index): StoreRange => {
    const own = tails.slice(index * TAILS_PER_RANGE, (index + 1) * TAILS_PER_RANGE);
    const range: TailsRange = { tails: own.map(({ streamId, fromVersion }) => [streamId, fromVersion]) };
    return { index, spec: JSON.stringify(range) };
  });
}

/** FROM and WHERE of the rows of a range, as SQL over `table`. Throws `usage` when another adapter made the range. */
export function rangeSource(range: StoreRange, table: string): string {
  const spec = parseSpec(range.spec);
  return 'tails' in spec ? tailsSource(spec, table) : `FROM ${table} ${blocksCondition(spec)}`;
}

function blocksCondition(range: BlockRange): string {
  const conditions = conditionsOf(range);
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}

/** To be joined by AND; none for the whole table. */
export function conditionsOf({ from, to, since }: BlockRange): string[] {
  return [
    // A condition on all blocks costs a tenth of the reading.
    ...(from === 0 ? [] : [`ctid >= '(${from},0)'`]),
    ...(to === null ? [] : [`ctid < '(${to},0)'`]),
    ...(since === undefined ? [] : [sinceCondition(since)]),
  ];
}

/**
 * Exact where `since` is of the same system and timeline and less than 2^31 transactions old: a row that it could not see
 * was written by a transaction whose number is at least its xmin, or by a subtransaction of one, which has a greater
 * number. Ages are compared, as numbers of 32 bits wrap around; both are taken in one statement, as the clock of ages
 * stands still in a transaction only. (pg_visible_in_snapshot knows nothing of subtransactions, and a snapshot that was
 * taken on a standby lists no transaction in progress.)
 */
function sinceCondition(since: string): string {
  return `age(xmin) <= (SELECT age(pg_snapshot_xmin('${since}'::pg_snapshot)::xid))`;
}

function tailsSource({ tails }: TailsRange, table: string): string {
  const rows = tails.map(([stream, from]) => `(${pg.escapeLiteral(stream)}, ${from}::bigint)`);
  return `FROM (VALUES ${rows.join(', ')}) AS tails (stream, from_version)
    JOIN ${table} ON stream_id = tails.stream AND stream_version >= tails.from_version`;
}

const PG_SNAPSHOT = /^\d+:\d+:[\d,]*$/;

function parseSpec(spec: string): BlockRange | TailsRange {
  try {
    const range = JSON.parse(spec) as Partial<BlockRange & TailsRange>;
    const { from, to, since, tails } = range;
    if (Array.isArray(tails) && tails.every(isTail)) return { tails };
    const isSince = since === undefined || PG_SNAPSHOT.test(since);
    if (isBlock(from) && (to === null || isBlock(to)) && isSince) return range as BlockRange;
  } catch {
    // Said below.
  }
  throw new BackupError('usage', `${JSON.stringify(spec)} is no range of a PostgreSQL store`);
}

function isBlock(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isTail(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === 'string' && Number.isSafeInteger(value[1]);
}
