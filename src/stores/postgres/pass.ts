import { BackupError } from '../../core/errors.ts';
import { selectRows } from '../../core/event-batch.ts';
import type { RangeBatch, StoreRange } from '../../core/event-store.ts';
import type { CopyBatch } from './copy-decoder.ts';
import { BLOCK_BYTES, type BlockRange, blocksOf, type Changes, conditionsOf, withSettings } from './range.ts';

/**
 * One scan of the whole table for several ranges of blocks. A sequential scan of a table that is larger than a quarter of
 * the server's memory for pages goes through a few pages again and again; a scan of some blocks has no such ring: it pushes
 * all else out of that memory, and takes twice the time (10M events: 91 instead of 44 s of processors' time).
 */

/** What the server should know of a table, to choose. */
export interface TableFacts {
  readonly bytes: number;
  /** Of the server's memory for pages. */
  readonly sharedBytes: number;
  /** Some blocks alone: before PostgreSQL 14 the server looks through the whole table for them. */
  readonly readsBlocks: boolean;
}

/**
 * The server has a ring from a quarter on. Up to a half most of a table may well be in memory already, and then it costs more
 * to look through all of it for each reader (1M events, 536 MB of 2 GB: 5.6 instead of 4.6 s of processors' time).
 */
const ROOM_SHARE = 2;

/** Each looks through the whole table, so that with more of them most of the work would be to pass rows over. */
const MAX_PASSES = 4;

/** To pass over a row costs about this part of what a ring saves for one that is sent. */
const WORTH_A_PASS_SHARE = 8;

/**
 * Puts ranges together into at most `parallel` passes, in the order of their blocks. Null where they are better read one by
 * one: of a table that has room in the server's memory, and where there is little to read of a large one.
 */
export function cutIntoPasses(
  table: TableFacts,
  ranges: readonly StoreRange[],
  parallel: number,
): StoreRange[][] | null {
  const { bytes, sharedBytes, readsBlocks } = table;
  // A partitioned table has no blocks of its own, and so no order of them.
  if (bytes === 0 || ranges.length === 0) return null;
  const worthwhile = readsBlocks ? passesWorthwhile(bytes, ranges) : MAX_PASSES;
  if (worthwhile === 0 || (readsBlocks && bytes <= sharedBytes / ROOM_SHARE)) return null;
  const sorted = ranges.toSorted((a, b) => blocksOf(a).from - blocksOf(b).from);
  const passes = Math.min(Math.max(1, Math.floor(parallel)), MAX_PASSES, worthwhile, sorted.length);
  const bound = (pass: number): number => Math.floor((sorted.length * pass) / passes);
  return Array.from({ length: passes }, (_, pass) => sorted.slice(bound(pass), bound(pass + 1)));
}

function passesWorthwhile(tableBytes: number, ranges: readonly StoreRange[]): number {
  const tableBlocks = Math.ceil(tableBytes / BLOCK_BYTES);
  let blocks = 0;
  for (const { from, to } of ranges.map(blocksOf)) blocks += Math.max(0, (to ?? tableBlocks) - from);
  return Math.floor((blocks / tableBlocks) * WORTH_A_PASS_SHARE);
}

/** FROM and WHERE of all rows of these ranges, as SQL over `table`. Throws `usage` when another adapter made one. */
export function passSource(ranges: readonly StoreRange[], table: string): string {
  const joined: BlockRange[] = [];
  for (const range of ranges.map(blocksOf)) {
    const last = joined.at(-1);
    const isNext = last?.to === range.from && isSame(last.changes, range.changes);
    if (isNext) joined[joined.length - 1] = { ...last, to: range.to };
    else joined.push(range);
  }
  const conditions = joined.map(conditionsOf);
  if (conditions.some((one) => one.length === 0)) return `FROM ${table}`;
  return `FROM ${table} WHERE ${conditions.map((one) => `(${one.join(' AND ')})`).join(' OR ')}`;
}

function isSame(a: Changes | undefined, b: Changes | undefined): boolean {
  return a?.since === b?.since && a?.until === b?.until;
}

/** One process that goes through the table from its first block to its last one, whatever is set for the role. */
const IN_ORDER = [
  'enable_tidscan = off',
  'synchronize_seqscans = off',
  'max_parallel_workers_per_gather = 0',
];

/** The statements of a pass. */
export function passStatements(copy: string): string {
  return withSettings(IN_ORDER, copy);
}

/** Gives the rows of a batch to the ranges that hold their blocks. Batches come in the order of the scan. */
export function makeCutter(ranges: readonly StoreRange[]): (batch: CopyBatch) => RangeBatch[] {
  const bounds = ranges.map((range) => blocksOf(range).to ?? Number.POSITIVE_INFINITY);
  let place = 0;
  let before = 0;
  return (batch) => {
    const cut: RangeBatch[] = [];
    let start = 0;
    for (let row = 0; row < batch.count; row += 1) {
      const block = batch.blocks[row]!;
      if (block < before) throw outOfOrder();
      before = block;
      if (block < bounds[place]!) continue;
      if (row > start) cut.push({ place, batch: selectRows(batch, rowsFrom(start, row)) });
      start = row;
      while (block >= bounds[place]!) place += 1;
    }
    cut.push({ place, batch: start === 0 ? batch : selectRows(batch, rowsFrom(start, batch.count)) });
    return cut;
  };
}

function rowsFrom(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}

function outOfOrder(): BackupError {
  return new BackupError('store_unsupported', 'the server sent events in another order than they lie in', {
    hint: 'the events table must be an ordinary one, without tables that inherit from it',
  });
}
