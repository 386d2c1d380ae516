import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import type { BlockPlan, StoreRange, StreamTail } from '../../core/event-store.ts';

/** Blocks of the events table from `from` (inclusive) to `to` (exclusive, null: to the end). */
export interface BlockRange {
  /** Oid of the part of a partitioned table; left out: the table has no parts. */
  readonly leaf?: string;
  readonly from: number;
  readonly to: number | null;
  /** Only these rows. */
  readonly changes?: Changes;
  /** Processes that the server may put beside its first one to look through these blocks. */
  readonly workers?: number;
  /** Each place where a row may be is named: a server before 14 would scan the whole table for some blocks. Only with an end. */
  readonly byPlace?: boolean;
}

/** What a view sees, by its pg_snapshot, and an earlier one could not, and perhaps some that it saw. */
export interface Changes {
  readonly since: string;
  readonly until: string;
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

const BLOCK_PAGES = 32;

/**
 * Cuts a table into blocks of 32 pages. The last one is open where that costs nothing; it need not be, since what a view sees lies in the
 * pages that the table had when the view was taken.
 */
export function cutIntoBlocks({ bytes, readsBlocks }: { bytes: number; readsBlocks: boolean }): BlockPlan {
  const pages = Math.ceil(bytes / BLOCK_BYTES);
  const blocks = Math.max(1, Math.ceil(pages / BLOCK_PAGES));
  return {
    blocks,
    range: (block) => {
      const from = block * BLOCK_PAGES;
      const isLast = block >= blocks - 1;
      const range: BlockRange = readsBlocks
        ? { from, to: isLast ? null : from + BLOCK_PAGES, workers: 0 }
        : { from, to: isLast ? pages : from + BLOCK_PAGES, workers: 0, byPlace: true };
      return { index: block, spec: JSON.stringify(range) };
    },
  };
}

/** All of a table, whose places are not to be had. */
export function oneBlock(): BlockPlan {
  const range: BlockRange = { from: 0, to: null, workers: 0 };
  return { blocks: 1, range: (block) => ({ index: block, spec: JSON.stringify(range) }) };
}

/** The blocks of all parts of a partitioned table, one part behind the other. */
export function joinBlocks(parts: readonly { readonly oid: string; readonly plan: BlockPlan }[]): BlockPlan {
  const blocks = parts.reduce((sum, { plan }) => sum + plan.blocks, 0);
  return {
    blocks: Math.max(1, blocks),
    range: (block) => {
      let before = 0;
      for (const { oid, plan } of parts) {
        if (block < before + plan.blocks) {
          const range: BlockRange = { leaf: oid, ...blocksOf(plan.range(block - before)) };
          return { index: block, spec: JSON.stringify(range) };
        }
        before += plan.blocks;
      }
      // No parts, or a block that is none: nothing lies there.
      return { index: block, spec: JSON.stringify({ from: 0, to: 0 } satisfies BlockRange) };
    },
  };
}

/** The whole table, or a few large parts of it, and of them only the changes. */
export function cutChanges(tableBytes: number, parallel: number, changes: Changes): StoreRange[] {
  return cutIntoRanges(tableBytes, worthwhile(tableBytes, parallel)).map(({ index, spec }) => {
    const range: BlockRange = { ...(JSON.parse(spec) as BlockRange), changes };
    return { index, spec: JSON.stringify(range) };
  });
}

/** The whole table as one range, all its parts too, and of it only the changes: the server shares it out among `processes`. */
export function sharedChanges(processes: number, changes: Changes): StoreRange[] {
  const range: BlockRange = { from: 0, to: null, changes, workers: Math.max(0, Math.floor(processes) - 1) };
  return [{ index: 0, spec: JSON.stringify(range) }];
}

/** How many of `parallel` processes are worth their start, to look through this much. */
export function worthwhile(tableBytes: number, parallel: number): number {
  return Math.min(parallel, Math.max(1, Math.floor(tableBytes / LEAST_CHANGES_BYTES)));
}

/**
 * Of these ranges only the changes. Neighbours are joined, as long as they are not much to look through. Throws `usage` when
 * another adapter made a range.
 */
export function narrowRanges(ranges: readonly StoreRange[], changes: Changes): StoreRange[] {
  const joined: BlockRange[] = [];
  for (const { from, to, ...part } of ranges.map(blocksOf).sort(byPlace)) {
    const last = joined.at(-1);
    const leaf = part.leaf === undefined ? {} : { leaf: part.leaf };
    const isNext = last?.to === from && last.leaf === part.leaf;
    const isNear = isNext && (from - last.from) * BLOCK_BYTES < JOINED_BYTES;
    if (isNear) joined[joined.length - 1] = { ...leaf, from: last.from, to, changes };
    else joined.push({ ...leaf, from, to, changes });
  }
  return joined.map((range, index) => ({ index, spec: JSON.stringify(range) }));
}

function byPlace(a: BlockRange, b: BlockRange): number {
  return (a.leaf ?? '').localeCompare(b.leaf ?? '') || a.from - b.from;
}

/** Cuts each part of a partitioned table by itself; `cut` is told how many ranges a part is worth. */
export function cutLeaves(
  leaves: readonly { readonly oid: string; readonly bytes: number }[],
  parallel: number,
  cut: (bytes: number, parallel: number) => StoreRange[],
): StoreRange[] {
  const total = leaves.reduce((sum, { bytes }) => sum + bytes, 0);
  return leaves
    .flatMap(({ oid, bytes }) => {
      const share = total === 0 ? 1 : Math.max(1, Math.round((parallel * bytes) / total));
      return cut(bytes, share).map((range): BlockRange => ({ leaf: oid, ...blocksOf(range) }));
    })
    .map((range, index) => ({ index, spec: JSON.stringify(range) }));
}

/** Which part of a partitioned table a range is of; null: of the whole, or there are no parts. */
export function leafOf({ spec }: StoreRange): string | null {
  const range = parseSpec(spec);
  return 'from' in range ? (range.leaf ?? null) : null;
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
export function conditionsOf({ from, to, changes, byPlace }: BlockRange): string[] {
  if (byPlace && to !== null) return [placesCondition(from, to)];
  return [
    // A condition on all blocks costs a tenth of the reading.
    ...(from === 0 ? [] : [`ctid >= '(${from},0)'`]),
    ...(to === null ? [] : [`ctid < '(${to},0)'`]),
    ...(changes === undefined ? [] : [changesCondition(changes)]),
  ];
}

/** No page of 8 KiB has more rows. */
const MOST_ROWS = 291;

function placesCondition(from: number, to: number): string {
  const places = `SELECT format('(%s,%s)', page, item)::tid
    FROM generate_series(${from}, ${to - 1}) AS page, generate_series(1, ${MOST_ROWS}) AS item`;
  return `ctid = ANY (ARRAY(${places}))`;
}

/**
 * Exact where both views are of the same system and timeline and less than 2^31 transactions apart. A row that only the later one sees
 * was written by a transaction that had not ended when the earlier one was taken, whose number is at least its xmin, or by a
 * subtransaction of one, which has a greater number; and whoever a view sees has a number below its xmax. (pg_visible_in_snapshot
 * knows nothing of subtransactions, and a snapshot that was taken on a standby lists no transaction in progress.)
 *
 * A row keeps the last 32 bits of that number, also when it is frozen; so all numbers from one to the other are a piece of a circle.
 * Rows that are older by whole turns of it, and those that a server before 9.4 froze, may seem to lie there: the chain has these. Numbers
 * are compared as the bytes that are sent of them, greatest byte first: `age` can be asked by one process only, and there is no order of xid.
 */
function changesCondition({ since, until }: Changes): string {
  const from = xidBytes(since.split(':')[0]!);
  const to = xidBytes(until.split(':')[1]!);
  if (from === to) return 'false';
  const isBehind = `xidsend(xmin) >= '\\x${from}'::bytea`;
  const isBefore = `xidsend(xmin) < '\\x${to}'::bytea`;
  return from < to ? `${isBehind} AND ${isBefore}` : `(${isBehind} OR ${isBefore})`;
}

/** The last 32 bits of a transaction's number, as hex digits. */
function xidBytes(number: string): string {
  return BigInt.asUintN(32, BigInt(number)).toString(16).padStart(8, '0');
}

/** What is set for a statement alone: it would make the next one of the same connection slow. */
export function withSettings(settings: readonly string[], statement: string): string {
  const set = settings.map((setting) => `SET LOCAL ${setting}`);
  const reset = settings.map((setting) => `RESET ${setting.split(' ')[0]}`);
  return [...set, statement, ...reset].join('; ');
}

/** What to set for the statement that reads a range: the server shares out what it is told to, whatever it costs by its reckoning. */
export function rangeSettings({ spec }: StoreRange): string[] {
  const range = parseSpec(spec);
  if (!('from' in range) || (range.changes === undefined && range.workers === undefined)) return [];
  const workers = `max_parallel_workers_per_gather = ${range.workers ?? 0}`;
  return [workers, ...(range.workers ? ['parallel_setup_cost = 0', 'parallel_tuple_cost = 0'] : [])];
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
    const { from, to, changes, workers = 0, tails, leaf = '0' } = range;
    if (Array.isArray(tails) && tails.every(isTail)) return { tails };
    const isSound = (changes === undefined || isChanges(changes)) && isCount(workers) && /^\d+$/.test(leaf);
    if (isCount(from) && (to === null || isCount(to)) && isSound) return range as BlockRange;
  } catch {
    // Said below.
  }
  throw new BackupError('usage', `${JSON.stringify(spec)} is no range of a PostgreSQL store`);
}

function isChanges({ since, until }: Changes): boolean {
  return PG_SNAPSHOT.test(since) && PG_SNAPSHOT.test(until);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isTail(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === 'string' && Number.isSafeInteger(value[1]);
}
