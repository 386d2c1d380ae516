import { BackupError } from '../../core/errors.ts';
import type { BlockPlan, StoreRange } from '../../core/event-store.ts';
import type { EventRows, KeyRange } from './event-rows.ts';
import { quoted } from './sql.ts';

/** Less than this is read sooner than a thread for it has started. */
const LEAST_RANGE_BYTES = 16 << 20;

/** Cuts the rows at even distances between the least and the greatest rowid, where there are rowids and enough bytes. */
export function planRanges(rows: EventRows, parallel: number): StoreRange[] {
  const ends = rowidEnds(rows);
  const { bytes } = estimateRows(rows);
  const count = Math.max(1, Math.min(parallel, Math.floor((bytes ?? 0) / LEAST_RANGE_BYTES)));
  if (ends === null) return [{ index: 0, spec: '..' }];
  const span = ends.greatest - ends.least;
  const cuts = Array.from({ length: count - 1 }, (_, i) => {
    return String(ends.least + (span * BigInt(i + 1)) / BigInt(count));
  });
  return ['', ...cuts].map((after, index) => ({ index, spec: `${after}..${cuts[index] ?? ''}` }));
}

/** Rows of about half a KiB. A fixed number, so that a block stays where it is while events come. */
const BLOCK_ROWS = 512n;

/** More would be a burden to whoever goes through them: rowids that lie far apart make larger blocks. */
const MOST_BLOCKS = 1n << 24n;

/** Windows of rowids; a table without rowids is one block. */
export function planBlocks(rows: EventRows): BlockPlan {
  const ends = rowidEnds(rows);
  if (ends === null) return { blocks: 1, range: () => ({ index: 0, spec: '..' }) };
  let size = BLOCK_ROWS;
  while ((ends.greatest - ends.least) / size >= MOST_BLOCKS) size *= 2n;
  // From a multiple of the size on, so that the blocks of a table are the same without its first rows.
  const first = floorTo(ends.least, size);
  const blocks = Number((ends.greatest - first) / size) + 1;
  return {
    blocks,
    range: (block) => {
      const start = first + BigInt(block) * size;
      const after = block === 0 ? '' : String(start - 1n);
      const last = block >= blocks - 1 ? '' : String(start + size - 1n);
      return { index: block, spec: `${after}..${last}` };
    },
  };
}

function floorTo(value: bigint, step: bigint): bigint {
  const rest = value % step;
  return rest < 0n ? value - rest - step : value - rest;
}

/** Reads a spec such as `..500`, `500..1000`, `..` or `4..5,17..80` (rowids; the first one of each excluded). Throws `usage`. */
export function keyRangesOf({ spec }: StoreRange): KeyRange[] {
  return spec.split(',').map((range) => {
    const ends = /^(-?\d{1,19}|)\.\.(-?\d{1,19}|)$/.exec(range);
    if (ends === null)
      throw new BackupError('usage', `${JSON.stringify(spec)} is no range of a SQLite store`);
    const [after, last] = ends.slice(1).map((rowid) => {
      return rowid === '' ? null : ({ sql: '?', value: BigInt(rowid) } as const);
    });
    return { after: after ?? null, last: last ?? null };
  });
}

function rowidEnds({ rowKey, prepare, source }: EventRows): { least: bigint; greatest: bigint } | null {
  if (rowKey === 'id') return null;
  const from = source;
  // Each by itself is a look at one end; both in one SELECT would be a scan.
  const sql = `SELECT (SELECT min(_rowid_) FROM ${from}), (SELECT max(_rowid_) FROM ${from})`;
  const [least, greatest] = prepare(sql).get() as unknown as unknown[];
  return typeof least === 'bigint' && typeof greatest === 'bigint' ? { least, greatest } : null;
}

export function countRows({ prepare, source }: EventRows): number {
  const row = prepare(`SELECT count(*) FROM ${source}`).get() as unknown as [bigint];
  return Number(row[0]);
}

/** Rows at each end of the table that are measured for an estimate. */
const MEASURED_ROWS = 128;

/** Takes rowids as if none were missing, and the first and the last events as if they were typical. */
export function estimateRows({ db, table, source, rowKey }: EventRows): {
  events: number | null;
  bytes: number | null;
} {
  if (rowKey === 'id') return { events: null, bytes: null };
  const from = source;
  const size = Object.values(table.columns)
    .map((name) => `ifnull(octet_length(${quoted(name)}), 0)`)
    .join(' + ');
  const ends = ['ASC', 'DESC'].map(
    (order) =>
      `SELECT * FROM (SELECT ${size} AS size FROM ${from} ORDER BY _rowid_ ${order} LIMIT ${MEASURED_ROWS})`,
  );
  const row = db
    .prepare(
      `SELECT (SELECT CAST(max(_rowid_) AS REAL) FROM ${from}) - (SELECT min(_rowid_) FROM ${from}) + 1 AS events,
              (SELECT avg(size) FROM (${ends.join(' UNION ALL ')})) AS mean`,
    )
    .get();
  const events = Math.round(Number(row?.events ?? 0));
  return { events, bytes: Math.round(events * Number(row?.mean ?? 0)) };
}
