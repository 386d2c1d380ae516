import type { StoreRange, StreamTail } from '../../core/event-store.ts';
import { nameBytes } from '../../core/name-text.ts';
import { column, type EventRows } from './event-rows.ts';
import { quoted } from './sql.ts';

/**
 * Finds the rows of the tails by the index on stream and version, and joins neighbouring rows to ranges: what was
 * appended lately lies together. A table without rowids is read whole.
 */
export function planTails(rows: EventRows, tails: readonly StreamTail[]): StoreRange[] {
  if (tails.length === 0) return [];
  if (rows.rowKey === 'id') return [{ index: 0, spec: '..' }];
  return joinNeighbours(findRowids(rows, tails)).map(({ first, last }, index) => {
    return { index, spec: `${first - 1n}..${last}` };
  });
}

function findRowids(rows: EventRows, tails: readonly StreamTail[]): BigInt64Array {
  const find = rows.prepare(
    `SELECT _rowid_ FROM ${quoted(rows.table.table)}
      WHERE ${column(rows, 'stream')} = CAST(? AS TEXT) AND ${column(rows, 'version')} >= ?`,
  );
  const found: bigint[] = [];
  for (const { streamId, fromVersion } of tails) {
    for (const row of find.iterate(nameBytes(streamId), fromVersion)) {
      found.push((row as unknown as [bigint])[0]);
    }
  }
  return BigInt64Array.from(found).sort();
}

interface Run {
  readonly first: bigint;
  last: bigint;
}

function joinNeighbours(rowids: BigInt64Array): Run[] {
  const runs: Run[] = [];
  for (const rowid of rowids) {
    const run = runs.at(-1);
    if (run !== undefined && run.last + 1n === rowid) run.last = rowid;
    else runs.push({ first: rowid, last: rowid });
  }
  return runs;
}
