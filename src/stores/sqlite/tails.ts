import type { StoreRange, StreamTail } from '../../core/event-store.ts';
import { column, type EventRows } from './event-rows.ts';
import { streamCondition } from './source.ts';

/** As many rows between two that are wanted are read sooner than a statement more is run. */
const NEAR_ROWS = 64n;

/**
 * Finds the rows of the tails by the index on stream and version. What was appended lately lies together; the last event
 * that a backup has, with which a tail begins, lies anywhere. A table without rowids is read whole.
 */
export function planTails(rows: EventRows, tails: readonly StreamTail[]): StoreRange[] {
  if (tails.length === 0) return [];
  if (rows.rowKey === 'id') return [{ index: 0, spec: '..' }];
  const spans = joinNear(findRowids(rows, tails));
  if (spans.length === 0) return [];
  return [{ index: 0, spec: spans.map(({ first, last }) => `${first - 1n}..${last}`).join(',') }];
}

function findRowids(rows: EventRows, tails: readonly StreamTail[]): BigInt64Array {
  const { sql, valuesOf } = streamCondition(rows.foreign, column(rows, 'stream'));
  const find = rows.prepare(
    `SELECT _rowid_ FROM ${rows.source} WHERE ${sql} AND ${column(rows, 'version')} >= ?`,
  );
  // A stream may have millions of rows: eight bytes each, and no object.
  let found = new BigInt64Array(1024);
  let count = 0;
  for (const { streamId, fromVersion } of tails) {
    for (const row of find.iterate(...valuesOf(streamId), fromVersion)) {
      if (count === found.length) found = new BigInt64Array(found.buffer.transfer(found.byteLength * 2));
      found[count] = (row as unknown as [bigint])[0];
      count += 1;
    }
  }
  return found.subarray(0, count).sort();
}

interface Span {
  readonly first: bigint;
  last: bigint;
}

function joinNear(rowids: BigInt64Array): Span[] {
  const spans: Span[] = [];
  for (const rowid of rowids) {
    const span = spans.at(-1);
    if (span !== undefined && rowid - span.last <= NEAR_ROWS) span.last = rowid;
    else spans.push({ first: rowid, last: rowid });
  }
  return spans;
}
