import { BackupError } from '../../core/errors.ts';
import type { StoreRange } from '../../core/event-store.ts';

/** Blocks of the events table from `from` (inclusive) to `to` (exclusive, null: to the end). */
interface BlockRange {
  readonly from: number;
  readonly to: number | null;
}

const BLOCK_BYTES = 8192;
/** Below this a further connection costs more than it saves. */
const MIN_RANGE_BLOCKS = 256;

/**
 * Cuts a table of `tableBytes` into at most `parallel` ranges of about the same size. The last one is open: rows that
 * came after the size was read are in it.
 */
export function cutIntoRanges(tableBytes: number, parallel: number): StoreRange[] {
  const blocks = Math.ceil(tableBytes / BLOCK_BYTES);
  const count = Math.max(1, Math.min(Math.floor(parallel), Math.floor(blocks / MIN_RANGE_BLOCKS)));
  const bound = (index: number): number => Math.floor((blocks * index) / count);
  return Array.from({ length: count }, (_, index): StoreRange => {
    const range: BlockRange = { from: bound(index), to: index === count - 1 ? null : bound(index + 1) };
    return { index, spec: JSON.stringify(range) };
  });
}

/** The condition on the rows of a range, as SQL. Throws `usage` when another adapter made the range. */
export function rangeCondition(range: StoreRange): string {
  const { from, to } = parseSpec(range.spec);
  const lower = `ctid >= '(${from},0)'`;
  return to === null ? lower : `${lower} AND ctid < '(${to},0)'`;
}

function parseSpec(spec: string): BlockRange {
  try {
    const { from, to } = JSON.parse(spec) as Partial<BlockRange>;
    if (isBlock(from) && (to === null || isBlock(to))) return { from, to };
  } catch {
    // Said below.
  }
  throw new BackupError('usage', `${JSON.stringify(spec)} is no range of a PostgreSQL store`);
}

function isBlock(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
