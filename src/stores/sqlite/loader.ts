import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BackupError } from '../../core/errors.ts';
import { type EventBatch, spanBytes } from '../../core/event-batch.ts';
import type { BatchWriter } from '../../core/event-store.ts';
import type { SqliteConfig } from './config.ts';
import { rollBack } from './connection.ts';
import {
  CONSTRAINT,
  CONSTRAINT_NOT_NULL,
  CONSTRAINT_PRIMARY_KEY,
  CONSTRAINT_UNIQUE,
  guarded,
  resultCode,
  storeError,
  TOO_BIG,
} from './errors.ts';
import { quoted } from './sql.ts';
import { TIME_TEXT_MAX, type TimeColumn, timeColumn, timeWriter } from './time-text.ts';

/** Rows of one INSERT: more gain nothing. */
const ROWS_PER_INSERT = 16;
const VALUES_PER_ROW = 7;
const UUID_TEXT_BYTES = 36;
const SAVEPOINT = 'batch_writer';
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Writes into the transaction that `db` is in. One writer at a time; `onEnd` is called when it has ended. */
export function openLoader(db: DatabaseSync, config: SqliteConfig, onEnd: () => void): BatchWriter {
  const { address } = config;
  const insert = guarded(address, () => {
    db.exec(`SAVEPOINT ${SAVEPOINT}`);
    return prepareInsert(db, config);
  });
  const rowsOf = rowBinder();
  let open = true;
  const assertOpen = (): void => {
    if (!open) throw new BackupError('internal', 'this writer has ended');
    assertInTransaction(db, config);
  };
  return {
    write: async (batch) => {
      assertOpen();
      guarded(address, () => insert(rowsOf(batch), batch.count));
      await nextTurn();
    },
    end: async () => {
      assertOpen();
      guarded(address, () => db.exec(`RELEASE ${SAVEPOINT}`));
      open = false;
      onEnd();
    },
    abort: async () => {
      if (!open) return;
      open = false;
      onEnd();
      if (db.isOpen && db.isTransaction) giveUp(db, address);
    },
  };
}

/**
 * SQLite rolls a transaction back by itself after some failures, a full disk among them. What would be written behind
 * that would be visible at once.
 */
export function assertInTransaction(db: DatabaseSync, { address }: SqliteConfig): void {
  if (db.isOpen && db.isTransaction) return;
  throw new BackupError('internal', `the restore into ${address} has ended and takes no more`);
}

function giveUp(db: DatabaseSync, address: string): void {
  try {
    db.exec(`ROLLBACK TO ${SAVEPOINT}; RELEASE ${SAVEPOINT}`);
  } catch (error) {
    // Without the savepoint nothing of the transaction may stand.
    rollBack(db);
    throw storeError(address, error);
  }
}

/** Takes the bound values of `count` rows, one row behind the other. */
type Insert = (values: SQLInputValue[], count: number) => void;

function prepareInsert(db: DatabaseSync, config: SqliteConfig): Insert {
  const many = db.prepare(insertSql(config, ROWS_PER_INSERT));
  const one = db.prepare(insertSql(config, 1));
  return (values, count) => {
    const whole = count - (count % ROWS_PER_INSERT);
    for (let row = 0; row < whole; row += ROWS_PER_INSERT) {
      const group = values.slice(row * VALUES_PER_ROW, (row + ROWS_PER_INSERT) * VALUES_PER_ROW);
      try {
        many.run(...group);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        // The statement wrote none of its rows, the transaction goes on. One by one they tell which of them it was.
        insertSingly(one, group);
      }
    }
    insertSingly(one, values.slice(whole * VALUES_PER_ROW, count * VALUES_PER_ROW));
  };
}

function insertSingly(one: StatementSync, values: SQLInputValue[]): void {
  for (let at = 0; at < values.length; at += VALUES_PER_ROW) {
    const row = values.slice(at, at + VALUES_PER_ROW);
    try {
      one.run(...row);
    } catch (error) {
      throw isRefusal(error) ? refusedEvent(row, error) : error;
    }
  }
}

/**
 * Texts are bound as bytes and cast: bound as JavaScript strings, bytes that are no UTF-8 would not survive. A cast
 * from BLOB to TEXT changes no byte.
 */
function insertSql({ layout }: SqliteConfig, rows: number): string {
  const { table, columns } = layout.events;
  const { id, stream, version, type, data, metadata, time } = columns;
  const names = [id, stream, version, type, data, metadata, time].map(quoted).join(', ');
  const text = 'CAST(? AS TEXT)';
  const row = `(${text}, ${text}, CAST(? AS INTEGER), ${text}, ${text}, ${text}, ${text})`;
  return `INSERT INTO ${quoted(table)} (${names}) VALUES ${Array(rows).fill(row).join(', ')}`;
}

/** Gives the values of a batch as views on its bytes; SQLite copies them when it binds them. */
function rowBinder(): (batch: EventBatch) => SQLInputValue[] {
  const writeTime = timeWriter();
  let scratch = new Uint8Array(0);
  return (batch) => {
    const rowBytes = TIME_TEXT_MAX + UUID_TEXT_BYTES;
    if (scratch.length < batch.count * rowBytes) scratch = new Uint8Array(batch.count * rowBytes);
    const values = new Array<SQLInputValue>(batch.count * VALUES_PER_ROW);
    const times = timeColumn(batch.times);
    let at = 0;
    let used = 0;
    for (let row = 0; row < batch.count; row += 1) {
      values[at] = idText(batch, row, scratch, used);
      values[at + 1] = spanBytes(batch, batch.stream, row);
      values[at + 2] = batch.versions[row]!;
      values[at + 3] = spanBytes(batch, batch.type, row);
      values[at + 4] = spanBytes(batch, batch.data, row);
      values[at + 5] = spanBytes(batch, batch.metadata, row);
      values[at + 6] =
        batch.timeTexts?.get(row) ?? timeText(times, row, writeTime, scratch, used + UUID_TEXT_BYTES);
      at += VALUES_PER_ROW;
      used += rowBytes;
    }
    return values;
  };
}

function idText(batch: EventBatch, row: number, scratch: Uint8Array, at: number): Uint8Array | null {
  if (batch.idKind === 'text') return spanBytes(batch, batch.id, row);
  writeUuidText(batch.bytes, batch.id.starts[row]!, scratch, at);
  return scratch.subarray(at, at + UUID_TEXT_BYTES);
}

const HEX_DIGITS = encoder.encode('0123456789abcdef');

/** The canonical text, as `formatUuid` has it, without a string in between. */
function writeUuidText(bytes: Uint8Array, start: number, out: Uint8Array, at: number): void {
  let to = at;
  for (let i = 0; i < 16; i += 1) {
    if (i === 4 || i === 6 || i === 8 || i === 10) {
      out[to] = 0x2d;
      to += 1;
    }
    const byte = bytes[start + i]!;
    out[to] = HEX_DIGITS[byte >> 4]!;
    out[to + 1] = HEX_DIGITS[byte & 15]!;
    to += 2;
  }
}

function timeText(
  times: TimeColumn,
  row: number,
  writeTime: ReturnType<typeof timeWriter>,
  scratch: Uint8Array,
  at: number,
): Uint8Array {
  return scratch.subarray(at, at + writeTime(times, row, scratch, at));
}

/** The row is at fault, not the disk or a lock. */
function isRefusal(error: unknown): boolean {
  const code = resultCode(error);
  return code !== null && ((code & 0xff) === CONSTRAINT || code === TOO_BIG);
}

function refusedEvent(row: readonly SQLInputValue[], error: unknown): BackupError {
  const [id, stream, version] = row;
  const shown = (value: SQLInputValue | undefined): string =>
    value instanceof Uint8Array ? JSON.stringify(decoder.decode(value)) : 'NULL';
  const reason = REASONS.get(resultCode(error) ?? CONSTRAINT) ?? 'breaks a constraint of the target';
  return new BackupError(
    'value_not_storable',
    `event ${shown(id)} (stream ${shown(stream)}, version ${version}) ${reason}`,
    {
      hint: 'the backup holds it as the source had it; restore into a store of the same kind and layout',
      cause: error,
    },
  );
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [CONSTRAINT_PRIMARY_KEY, 'has an id that another event has too'],
  [CONSTRAINT_UNIQUE, 'has a value that no other event may have, which another has too'],
  [CONSTRAINT_NOT_NULL, 'lacks a value that the target requires'],
  [TOO_BIG, 'is larger than SQLite can hold'],
]);

/** The stream whose events two of its versions share, for the index that cannot be made because of them. */
export function sharedVersion(db: DatabaseSync, config: SqliteConfig, error: unknown): BackupError | null {
  if (resultCode(error) !== CONSTRAINT_UNIQUE) return null;
  const { table, columns } = config.layout.events;
  const stream = quoted(columns.stream);
  const version = quoted(columns.version);
  const row = db
    .prepare(
      `SELECT CAST(${stream} AS TEXT) AS stream, CAST(${version} AS TEXT) AS version FROM ${quoted(table)}
       GROUP BY ${stream}, ${version} HAVING count(*) > 1 LIMIT 1`,
    )
    .get();
  const which = row === undefined ? 'events' : `events of stream ${JSON.stringify(row.stream)}`;
  const shared = row === undefined ? 'share a value' : `share version ${row.version}`;
  return new BackupError(
    'value_not_storable',
    `two ${which} ${shared}, which ${config.address} does not allow`,
    {
      hint: 'the source allowed it; repair the source, back it up again and restore that',
      cause: error,
    },
  );
}
