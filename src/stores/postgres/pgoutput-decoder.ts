import { BackupError } from '../../core/errors.ts';
import { NULL_LENGTH, type Spans } from '../../core/event-batch.ts';
import { formatUuid, UUID_BYTES } from '../../core/uuid-text.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { qualified } from './catalog.ts';
import { addTransaction, type ChangeRows } from './change-rows.ts';
import { growColumns, readVersion } from './copy-decoder.ts';
import { feedLost } from './feed-lost.ts';

/**
 * Reads the messages of PostgreSQL's own output plugin (its manual: "Logical Replication Message Formats"), protocol 1 with
 * values in binary form, into the rows of a batch. Values stay where they were received.
 */
export interface PgoutputDecoder {
  /** Oid of the events table; changes of others are passed over. */
  readonly relation: number;
  /** Transactions whose commit stands before this are known already, and passed over. */
  readonly from: bigint;
  /** Which column of the layout stands at each place of a row; null before the server has said it. */
  fields: Int8Array | null;
  /** The name of the events table, as SQL; null before the server has said it. */
  table: string | null;
  transaction: OpenTransaction | null;
  /** Where the commit record of the transaction that ended last ends. */
  endOfCommit: bigint;
}

interface OpenTransaction {
  readonly xid: number;
  readonly commit: bigint;
  readonly time: bigint;
  readonly isKnown: boolean;
  /** It is the last one of the batch's transactions: it wrote to the events. */
  isListed: boolean;
}

const ID = 0;
const STREAM = 1;
const VERSION = 2;
const TYPE = 3;
const DATA = 4;
const METADATA = 5;
const TIME = 6;
const FIELDS = EVENTS.columns.length;
const INT8_BYTES = 8;
/** Stands before the text of every jsonb value; PostgreSQL knows only 1. */
const JSONB_VERSION = 1;
const NULL_FIELD = -1;
/** A large value that an update did not touch: the server does not send it. */
const UNCHANGED_FIELD = -2;

/** Oids of the types that columns may have (pg_type.dat: they never change), by the layout's name. */
const TYPE_OIDS: Readonly<Record<string, readonly number[]>> = {
  uuid: [2950],
  text: [25, 1043],
  bigint: [20],
  jsonb: [3802],
  'timestamp with time zone': [1184],
};

export function makePgoutputDecoder(relation: number, from: bigint): PgoutputDecoder {
  return { relation, from, fields: null, table: null, transaction: null, endOfCommit: 0n };
}

/** Reads the message between `start` and `end` of the rows' bytes. True when it ended a transaction. */
export function readChange(decoder: PgoutputDecoder, rows: ChangeRows, start: number, end: number): boolean {
  require(start, 1, end);
  const at = start + 1;
  const tag = String.fromCharCode(rows.bytes[start]!);
  switch (tag) {
    case 'B':
      begin(decoder, rows, at, end);
      return false;
    case 'C':
      commit(decoder, rows, at, end);
      return true;
    case 'I':
    case 'U':
    case 'D':
    case 'T':
      if (transactionOf(decoder).isKnown) return false;
      if (tag === 'I') readInsert(decoder, rows, at, end);
      else if (tag === 'U') readUpdate(decoder, rows, at, end);
      else if (tag === 'D') readDelete(decoder, rows, at, end);
      else readTruncate(decoder, rows, at, end);
      return false;
    case 'R':
      readRelation(decoder, rows, at, end);
      return false;
    // Type, Origin, Message: nothing that a log of events has.
    case 'Y':
    case 'O':
    case 'M':
      return false;
    default:
      throw broken(`a message of type ${JSON.stringify(tag)}`);
  }
}

function begin(decoder: PgoutputDecoder, { view }: ChangeRows, at: number, end: number): void {
  require(at, 20, end);
  if (decoder.transaction !== null) throw broken('a transaction inside another');
  const position = view.getBigUint64(at);
  decoder.transaction = {
    xid: view.getUint32(at + 16),
    commit: position,
    time: view.getBigInt64(at + 8),
    isKnown: position < decoder.from,
    isListed: false,
  };
}

function commit(decoder: PgoutputDecoder, { view }: ChangeRows, at: number, end: number): void {
  require(at, 25, end);
  if (view.getBigUint64(at + 1) !== transactionOf(decoder).commit) {
    throw broken('the end of another transaction than the one that was begun');
  }
  decoder.endOfCommit = view.getBigUint64(at + 9);
  decoder.transaction = null;
}

function transactionOf(decoder: PgoutputDecoder): OpenTransaction {
  if (decoder.transaction === null) throw broken('a change outside a transaction');
  return decoder.transaction;
}

/** Lists the open transaction with the first thing that it did to the events: one that did nothing is none of ours. */
export function listTransaction(decoder: PgoutputDecoder, rows: ChangeRows): void {
  const transaction = transactionOf(decoder);
  if (transaction.isListed) return;
  transaction.isListed = true;
  addTransaction(rows, transaction.xid, transaction.commit, transaction.time);
}

/** Starts and lengths of the fields of the row being read, and of the row that it takes the place of. */
const starts = new Int32Array(FIELDS);
const lengths = new Int32Array(FIELDS);
const oldStarts = new Int32Array(FIELDS);
const oldLengths = new Int32Array(FIELDS);

function readInsert(decoder: PgoutputDecoder, rows: ChangeRows, at: number, end: number): void {
  if (!isOurs(decoder, rows, at, end)) return;
  const next = requireTag(rows, at + 4, end, 'N');
  requireEnd(readTuple(decoder, rows, next, end, starts, lengths), end);
  keepEvent(decoder, rows);
}

function readUpdate(decoder: PgoutputDecoder, rows: ChangeRows, at: number, end: number): void {
  if (!isOurs(decoder, rows, at, end)) return;
  let next = at + 4;
  require(next, 1, end);
  const hasOld = rows.bytes[next] !== 0x4e;
  if (hasOld) next = readOldTuple(decoder, rows, next, end);
  next = requireTag(rows, next, end, 'N');
  requireEnd(readTuple(decoder, rows, next, end, starts, lengths), end);
  if (hasOld) takeUnchanged();
  refuseUnchanged(decoder, rows);
  addRemoval(
    decoder,
    rows,
    'update',
    hasOld ? eventId(rows, oldStarts, oldLengths) : eventId(rows, starts, lengths),
  );
  keepEvent(decoder, rows);
}

function readDelete(decoder: PgoutputDecoder, rows: ChangeRows, at: number, end: number): void {
  if (!isOurs(decoder, rows, at, end)) return;
  requireEnd(readOldTuple(decoder, rows, at + 4, end), end);
  addRemoval(decoder, rows, 'delete', eventId(rows, oldStarts, oldLengths));
}

function readTruncate(decoder: PgoutputDecoder, rows: ChangeRows, at: number, end: number): void {
  require(at, 5, end);
  const relations = rows.view.getUint32(at);
  if (relations * 4 !== end - at - 5) throw broken(`a truncation of ${relations} tables`);
  for (let i = 0; i < relations; i += 1) {
    if (rows.view.getUint32(at + 5 + i * 4) !== decoder.relation) continue;
    addRemoval(decoder, rows, 'truncate', null);
    return;
  }
}

function isOurs(decoder: PgoutputDecoder, { view }: ChangeRows, at: number, end: number): boolean {
  require(at, 4, end);
  return view.getUint32(at) === decoder.relation;
}

/** The row as it was: whole (O), or its key (K). */
function readOldTuple(decoder: PgoutputDecoder, rows: ChangeRows, at: number, end: number): number {
  require(at, 1, end);
  const tag = rows.bytes[at];
  if (tag !== 0x4b && tag !== 0x4f) throw broken('a change without its old row');
  return readTuple(decoder, rows, at + 1, end, oldStarts, oldLengths);
}

function readTuple(
  decoder: PgoutputDecoder,
  { bytes, view }: ChangeRows,
  at: number,
  end: number,
  toStarts: Int32Array,
  toLengths: Int32Array,
): number {
  const { fields } = decoder;
  if (fields === null) throw broken('a row before its table was described');
  require(at, 2, end);
  const count = view.getUint16(at);
  if (count !== FIELDS) throw broken(`a row of ${count} fields`);
  let next = at + 2;
  for (let i = 0; i < FIELDS; i += 1) {
    const field = fields[i]!;
    require(next, 1, end);
    const kind = bytes[next];
    next += 1;
    // b: binary
    if (kind === 0x62) {
      require(next, 4, end);
      const length = view.getInt32(next);
      next += 4;
      if (length < 0 || length > end - next) throw broken(`a field of ${length} bytes`);
      toStarts[field] = next;
      toLengths[field] = length;
      next += length;
    } else if (kind === 0x6e || kind === 0x75) {
      toLengths[field] = kind === 0x6e ? NULL_FIELD : UNCHANGED_FIELD;
    } else {
      throw broken(`a field of kind ${kind}`);
    }
  }
  return next;
}

/** With REPLICA IDENTITY FULL the old row has what the new one leaves out. */
function takeUnchanged(): void {
  for (let field = 0; field < FIELDS; field += 1) {
    if (lengths[field] !== UNCHANGED_FIELD || oldLengths[field]! < 0) continue;
    starts[field] = oldStarts[field]!;
    lengths[field] = oldLengths[field]!;
  }
}

/** The message goes into the vault, where a gap is marked in clear: what is sealed otherwise is only among the facts. */
function refuseUnchanged({ table }: PgoutputDecoder, rows: ChangeRows): void {
  const field = lengths.indexOf(UNCHANGED_FIELD);
  if (field === -1) return;
  const column = EVENTS.columns[field]!.name;
  const id = eventId(rows, starts, lengths);
  throw feedLost(
    'value_not_sent',
    `an UPDATE of event ${id} in ${table} left its large ${column} as it was, and the server sends no value that it keeps apart and that was not changed`,
    {
      ...{ eventId: id, table, column },
      streamId: lengths[STREAM]! < 0 ? null : textOf(rows, STREAM),
      version: lengths[VERSION] === INT8_BYTES ? readVersion(rows.view, starts[VERSION]!) : null,
    },
    {
      hint: `take a full backup, which carries the log on behind the gap; for such updates to be captured, ALTER TABLE ${table} REPLICA IDENTITY FULL`,
    },
  );
}

function textOf({ bytes }: ChangeRows, field: number): string {
  return Buffer.from(bytes.buffer, starts[field]!, lengths[field]!).toString();
}

function eventId({ bytes }: ChangeRows, from: Int32Array, sizes: Int32Array): string {
  if (sizes[ID] === UUID_BYTES) return formatUuid(bytes, from[ID]!);
  throw new BackupError('store_unsupported', `a change of ${EVENTS.name} does not say which event it was`, {
    hint: `ALTER TABLE ${EVENTS.name} REPLICA IDENTITY DEFAULT, with event_id as its primary key`,
  });
}

function addRemoval(
  decoder: PgoutputDecoder,
  rows: ChangeRows,
  kind: 'update' | 'delete' | 'truncate',
  id: string | null,
): void {
  listTransaction(decoder, rows);
  rows.removals.push({ afterEvents: rows.events, transaction: rows.transactions - 1, kind, eventId: id });
}

function keepEvent(decoder: PgoutputDecoder, rows: ChangeRows): void {
  listTransaction(decoder, rows);
  const row = rows.events;
  if (row === rows.columns.capacity) rows.columns = growColumns(rows.columns);
  const { columns, view } = rows;
  requireLength(ID, UUID_BYTES);
  requireLength(VERSION, INT8_BYTES);
  requireLength(TIME, INT8_BYTES);
  keepSpan(columns.id, row, ID);
  keepSpan(columns.stream, row, STREAM);
  keepSpan(columns.type, row, TYPE);
  keepJson(rows, columns.data, row, DATA);
  if (lengths[METADATA] === NULL_FIELD) columns.metadata.lengths[row] = NULL_LENGTH;
  else keepJson(rows, columns.metadata, row, METADATA);
  columns.versions[row] = readVersion(view, starts[VERSION]!);
  columns.times[row] = view.getBigInt64(starts[TIME]!);
  rows.events = row + 1;
  rows.table.events[rows.transactions - 1]! += 1;
}

function requireLength(field: number, bytes: number): void {
  if (lengths[field] !== bytes) throw broken(`field ${field} of ${lengths[field]} bytes, not ${bytes}`);
}

function keepSpan(spans: Spans, row: number, field: number): void {
  const length = lengths[field]!;
  if (length < 0) throw broken(`NULL in field ${field}`);
  spans.starts[row] = starts[field]!;
  spans.lengths[row] = length;
}

function keepJson({ bytes }: ChangeRows, spans: Spans, row: number, field: number): void {
  const length = lengths[field]!;
  const start = starts[field]!;
  if (length < 1) throw broken(`no jsonb in field ${field}`);
  if (bytes[start] !== JSONB_VERSION) throw broken(`jsonb of version ${bytes[start]}`);
  spans.starts[row] = start + 1;
  spans.lengths[row] = length - 1;
}

function readRelation(decoder: PgoutputDecoder, rows: ChangeRows, at: number, end: number): void {
  if (!isOurs(decoder, rows, at, end)) return;
  const { view } = rows;
  const schemaEnd = skipText(rows, at + 4, end);
  const tableEnd = skipText(rows, schemaEnd, end);
  decoder.table = qualified(nameBetween(rows, at + 4, schemaEnd), nameBetween(rows, schemaEnd, tableEnd));
  let next = tableEnd + 1;
  require(next, 2, end);
  const count = view.getUint16(next);
  next += 2;
  const found = new Map<string, number>();
  for (let i = 0; i < count; i += 1) {
    const nameEnd = skipText(rows, next + 1, end);
    require(nameEnd, 8, end);
    found.set(nameBetween(rows, next + 1, nameEnd), view.getUint32(nameEnd));
    next = nameEnd + 8;
  }
  requireEnd(next, end);
  decoder.fields = fieldsOf(found);
}

function fieldsOf(found: ReadonlyMap<string, number>): Int8Array {
  for (const { name, type } of EVENTS.columns) {
    const oid = found.get(name);
    if (oid !== undefined && TYPE_OIDS[type]!.includes(oid)) continue;
    const is = oid === undefined ? 'missing' : `of type ${oid}`;
    throw unlike(`${EVENTS.name}.${name} is ${is} where the layout has ${type}`);
  }
  const names = EVENTS.columns.map(({ name }) => name);
  return Int8Array.from(found.keys(), (name) => {
    const field = names.indexOf(name);
    if (field === -1) throw unlike(`${EVENTS.name} has a column ${name}, which the layout has not`);
    return field;
  });
}

function unlike(message: string): BackupError {
  return new BackupError('store_unsupported', message, {
    hint: 'bring the store up to date with EventCore’s own migrations',
  });
}

/** The text from `at` on, without the zero that it ends with. */
function nameBetween({ bytes }: ChangeRows, at: number, end: number): string {
  return Buffer.from(bytes.buffer, at, end - at - 1).toString();
}

/** Where the text at `at`, which ends with a zero, is over. */
function skipText({ bytes }: ChangeRows, at: number, end: number): number {
  const zero = bytes.indexOf(0, at);
  if (zero === -1 || zero >= end) throw broken('a name without an end');
  return zero + 1;
}

function requireTag({ bytes }: ChangeRows, at: number, end: number, tag: string): number {
  require(at, 1, end);
  if (bytes[at] !== tag.charCodeAt(0)) throw broken(`${bytes[at]} where ${tag} belongs`);
  return at + 1;
}

function require(at: number, bytes: number, end: number): void {
  if (end - at < bytes) throw broken('a message that is too short');
}

function requireEnd(at: number, end: number): void {
  if (at !== end) throw broken(`${end - at} bytes behind a message`);
}

export function broken(what: string): BackupError {
  return new BackupError('store_unsupported', `the server sent a change that cannot be read: ${what}`);
}
