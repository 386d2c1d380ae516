import { BackupError } from '../../core/errors.ts';
import { MAX_VERSION, NULL_LENGTH } from '../../core/event-batch.ts';
import {
  column,
  type EventRows,
  FIELDS,
  firstRows,
  isNeeded,
  type Key,
  type KeyRange,
  keyColumn,
  keyColumns,
  readKey,
  valuesOf,
} from './event-rows.ts';

/**
 * Events as SQLite hands them out: many of them as one value, so that neither an event nor a field becomes a JavaScript
 * value. It is one event behind the other, and of each its head and its fields.
 *
 * This is exact for every value that SQLite can hold: concat() and group_concat() join values by their length in bytes,
 * with embedded NULs, bytes that are no UTF-8 and BLOBs as they are, and octet_length() counts the same bytes.
 *
 * The head of a usual event is made by char(): eight code points in UTF-8, the lengths of the fields in the order of
 * FIELDS (NULL_CODE for NULL), then the version as CODE_BASE × the seventh + the eighth. An event whose numbers are too
 * large for that is odd: it is read alone, and its head is made here (`oddHead`).
 */
export interface Piece {
  readonly events: number;
  /** In the place of each odd event ODD_MARK alone. */
  readonly bytes: Uint8Array;
  readonly last: Key;
}

/** The first byte of an odd event's head: no UTF-8 has it. */
export const ODD_MARK = 0xff;
/** An event of more bytes, its head included, is odd. */
const MAX_USUAL_BYTES = 32_768;
/** Every number below this is a code point that UTF-8 has. */
export const CODE_BASE = 0xd000;
/** No usual event has a field as long as this. */
export const NULL_CODE = 0xcfff;
const MAX_USUAL_VERSION = CODE_BASE ** 2 - 1;

/** Reads the first `limit` events of a range; null when there is none. */
export function readPiece(rows: EventRows, range: KeyRange, limit: number): Piece | null {
  const { sql, values } = firstRows(rows, range);
  const isUsual = `octet_length(event) <= ${MAX_USUAL_BYTES}`;
  // What a subquery computes would be computed again wherever it is mentioned.
  const read = rows.foreign === null ? sql : `FROM given`;
  const given = rows.foreign === null ? '' : `WITH given AS MATERIALIZED (SELECT * ${sql}) `;
  const statement = rows.prepare(
    `${given}SELECT count(*), CAST(group_concat(iif(${isUsual}, event, x'${ODD_MARK.toString(16)}'), '') AS BLOB),
            ${keyColumns('max(k)')}
     FROM (SELECT ${keyColumn(rows)} AS k, ${usualEvent(rows)} AS event ${read})`,
  );
  const [events, bytes, type, last] = valuesOf(statement.get(...values, limit));
  if (events === 0n) return null;
  return { events: Number(events), bytes: bytes as Uint8Array, last: readKey(type, last) };
}

/**
 * Whether an odd event may be among these. Of a piece of one event this is certain, for a usual event has a longer head;
 * of more it is not, since a text that is no UTF-8, or a BLOB, may hold that byte too.
 */
export function mayHoldOdd({ events, bytes }: Piece): boolean {
  if (events === 1) return bytes.length === 1;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(ODD_MARK);
}

/** An event's head and fields; NULL where its version, or NULL in a field that needs a value, makes it odd. */
function usualEvent(rows: EventRows): string {
  const version = column(rows, 'version');
  const lengths = FIELDS.map((field) => {
    const length = `octet_length(${column(rows, field)})`;
    return isNeeded(field) ? length : `ifnull(${length}, ${NULL_CODE})`;
  });
  const head = `char(${lengths.join(', ')}, ${version} / ${CODE_BASE}, ${version} % ${CODE_BASE})`;
  const isUsual = [
    `typeof(${version}) = 'integer'`,
    `${version} BETWEEN 0 AND ${MAX_USUAL_VERSION}`,
    ...FIELDS.filter(isNeeded).map((field) => `${column(rows, field)} IS NOT NULL`),
  ];
  return `iif(${isUsual.join(' AND ')}, concat(${[head, ...fieldColumns(rows)].join(', ')}), NULL)`;
}

/** The mark, the lengths as 32-bit words (NULL_LENGTH for NULL) and the version as a 64-bit float, little-endian. */
export const ODD_HEAD_BYTES = 1 + FIELDS.length * 4 + 8;

/**
 * Reads the first event of a range, whatever it is: its head, then its fields. Throws `store_unsupported` when it cannot
 * be kept exactly.
 */
export function readOddEvent(rows: EventRows, range: KeyRange, address: string): Uint8Array[] {
  const { sql, values } = firstRows(rows, range);
  const version = column(rows, 'version');
  const lengths = fieldColumns(rows).map((field) => `octet_length(${field})`);
  const isExact = `typeof(${version}) = 'integer' AND ${version} BETWEEN -${MAX_VERSION} AND ${MAX_VERSION}`;
  const statement = rows.prepare(
    `SELECT CAST(concat(${fieldColumns(rows).join(', ')}) AS BLOB), iif(${isExact}, ${version}, NULL),
            ${lengths.join(', ')} ${sql}`,
  );
  const [fields, exact, ...facts] = valuesOf(statement.get(...values, 1));
  const lacks = FIELDS.some((field, i) => isNeeded(field) && facts[i] === null);
  if (exact === null || lacks) throw unsupportedEvent(rows, range, address, exact === null);
  return [oddHead(facts as (bigint | null)[], Number(exact)), fields as Uint8Array];
}

function oddHead(lengths: readonly (bigint | null)[], version: number): Uint8Array {
  const head = new Uint8Array(ODD_HEAD_BYTES);
  const view = new DataView(head.buffer);
  view.setUint8(0, ODD_MARK);
  FIELDS.forEach((_, i) => {
    view.setUint32(1 + i * 4, Number(lengths[i] ?? NULL_LENGTH), true);
  });
  view.setFloat64(1 + FIELDS.length * 4, version, true);
  return head;
}

/** Names the first event of a range, which this program cannot back up exactly. */
function unsupportedEvent(
  rows: EventRows,
  range: KeyRange,
  address: string,
  hasOddVersion: boolean,
): BackupError {
  const { sql, values } = firstRows(rows, range);
  const shown = (['id', 'stream', 'version'] as const).map((name) => `quote(${column(rows, name)})`);
  const [id, stream, version] = valuesOf(rows.prepare(`SELECT ${shown.join(', ')} ${sql}`).get(...values, 1));
  const says = hasOddVersion
    ? `a version that is no integer within ±${MAX_VERSION}`
    : 'NULL for its id, stream, type or time';
  const which = `event ${id} (stream ${stream}, version ${version})`;
  return new BackupError('store_unsupported', `${which} of ${address} has ${says}`, {
    hint: 'correct the row; such an event cannot be kept exactly, so nothing was backed up',
  });
}

function fieldColumns(rows: EventRows): string[] {
  return FIELDS.map((field) => column(rows, field));
}
