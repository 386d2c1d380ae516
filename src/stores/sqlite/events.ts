import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { BackupError } from '../../core/errors.ts';
import type { StoredEvent } from '../../core/event.ts';
import type { StreamHead } from '../../core/event-store.ts';
import { formatTime, parseTime } from '../../core/time.ts';
import { deleteCompanions } from './companions.ts';
import { requireOwn, type SqliteConfig } from './config.ts';
import { inTransaction } from './connection.ts';
import { guarded } from './errors.ts';
import { connectStore, rowKeyOf } from './inspector.ts';
import { sourceOf, streamCondition } from './source.ts';
import { quoted } from './sql.ts';

type Row = Record<string, unknown>;

/** Runs `work` on a connection of its own to a store that is there. */
export function onStore<Result>(
  config: SqliteConfig,
  access: 'read' | 'write',
  work: (db: DatabaseSync) => Result,
): Result {
  const db = connectStore(config, access);
  try {
    return guarded(config.address, () => work(db));
  } finally {
    db.close();
  }
}

export function readStream(
  config: SqliteConfig,
  streamId: string,
  { fromVersion, limit = 1000 }: { fromVersion?: bigint; limit?: number } = {},
): StoredEvent[] {
  const { foreign, events } = config.layout;
  const version = quoted(events.columns.version);
  const isIt = streamCondition(foreign, quoted(events.columns.stream));
  const from = fromVersion === undefined ? '' : `AND ${version} >= ?`;
  const values = [...isIt.valuesOf(streamId), ...(fromVersion === undefined ? [] : [fromVersion]), limit];
  return onStore(config, 'read', (db) =>
    eventsOf(
      db,
      config,
      `FROM ${sourceOf(db, config)} WHERE ${isIt.sql} ${from} ORDER BY ${version} LIMIT ?`,
      values,
    ),
  );
}

/** Yields rows from a connection of its own, which is open until the last one was taken or the caller leaves. */
async function* iterate<Item>(
  config: SqliteConfig,
  sqlOn: (source: string) => string,
  values: readonly (string | number)[],
  decode: (row: Row) => Item,
): AsyncGenerator<Item> {
  const db = connectStore(config, 'read');
  try {
    const rows = guarded(config.address, () => {
      const statement = db.prepare(sqlOn(sourceOf(db, config)));
      statement.setReadBigInts(true);
      return statement.iterate(...values);
    });
    for (;;) {
      const next = guarded(config.address, () => rows.next());
      if (next.done) return;
      yield decode(next.value);
    }
  } finally {
    db.close();
  }
}

const NO_LIMIT = -1;

export function listStreams(
  config: SqliteConfig,
  { after, limit = NO_LIMIT }: { after?: string; limit?: number } = {},
): AsyncGenerator<StreamHead> {
  const { columns } = config.layout.events;
  const stream = quoted(columns.stream);
  const sql = (
    source: string,
  ): string => `SELECT CAST(${stream} AS TEXT) AS stream, max(${quoted(columns.version)}) AS version,
      count(*) AS events
    FROM ${source} ${after === undefined ? '' : `WHERE ${stream} > ?`} GROUP BY ${stream}
    ORDER BY ${stream} LIMIT ?`;
  return iterate(config, sql, after === undefined ? [limit] : [after, limit], (row) => ({
    streamId: String(row.stream),
    version: exactVersion(row, config),
    events: Number(row.events),
  }));
}

/**
 * Compares times as text without their `Z`, so that `12:00:00`, `12:00:00.1` and `12:00:00.123456` sort as they
 * should; times of another form, with an offset say, sort by their text.
 */
export async function* readSince(
  config: SqliteConfig,
  since: string,
  { limit = NO_LIMIT }: { limit?: number } = {},
): AsyncGenerator<StoredEvent> {
  const from = parseTime(since);
  if (from === null) throw new BackupError('usage', `not a time: ${JSON.stringify(since)}`);
  const { columns } = config.layout.events;
  const time = `rtrim(${quoted(columns.time)}, 'Z')`;
  const sql = (source: string): string => `SELECT ${eventColumns(config)} FROM ${source} WHERE ${time} >= ?
    ORDER BY ${time}, ${quoted(columns.id)} LIMIT ?`;
  const floor = formatTime(from).replace(/\.?0*Z$/, '');
  yield* iterate(config, sql, [floor, limit], (row) => toEvent(row, config));
}

/**
 * Draws rowids until enough of them exist. Where most do not, because many rows were deleted, or where most events are
 * wanted, every row is read and drawn from; both ways each event is as likely as any other.
 */
export function sampleEvents(config: SqliteConfig, size: number): StoredEvent[] {
  return onStore(config, 'read', (db) => {
    const rowids = rowKeyOf(db, config) === 'id' ? null : drawRowids(db, config, size);
    const from = `FROM ${sourceOf(db, config)}`;
    if (rowids === null)
      return eventsOf(db, config, `${from} ORDER BY random() LIMIT ?`, [Math.max(0, size)]);
    return rowids.flatMap((rowid) => eventsOf(db, config, `${from} WHERE _rowid_ = ?`, [rowid]));
  });
}

/** Rowids that exist, each once; null when that would take too many draws. */
function drawRowids(db: DatabaseSync, config: SqliteConfig, size: number): bigint[] | null {
  const from = sourceOf(db, config);
  const bounds = db.prepare(`SELECT min(_rowid_) AS least, max(_rowid_) AS greatest FROM ${from}`);
  bounds.setReadBigInts(true);
  const { least, greatest } = bounds.get()!;
  if (typeof least !== 'bigint' || typeof greatest !== 'bigint') return null;
  const span = Number(greatest - least) + 1;
  if (span < size * 4 || span > Number.MAX_SAFE_INTEGER) return null;
  const find = db.prepare(`SELECT 1 FROM ${from} WHERE _rowid_ = ?`);
  const found = new Set<bigint>();
  for (let draws = size * 4 + 100; draws > 0 && found.size < size; draws -= 1) {
    const rowid = least + BigInt(Math.floor(Math.random() * span));
    if (find.get(rowid) !== undefined) found.add(rowid);
  }
  return found.size === size ? [...found] : null;
}

export function countEvents(config: SqliteConfig): { events: number; streams: number } {
  const { columns } = config.layout.events;
  return onStore(config, 'read', (db) => {
    const row = db
      .prepare(
        `SELECT count(*) AS streams, coalesce(sum(events), 0) AS events
         FROM (SELECT count(*) AS events FROM ${sourceOf(db, config)} GROUP BY ${quoted(columns.stream)})`,
      )
      .get();
    return { events: Number(row?.events), streams: Number(row?.streams) };
  });
}

export function clearStore(config: SqliteConfig): void {
  requireOwn(config, 'its events are not removed');
  onStore(config, 'write', (db) => {
    inTransaction(db, () => {
      db.exec(`DELETE FROM ${quoted(config.layout.events.table)}`);
      deleteCompanions(db, config);
    });
  });
}

function eventsOf(
  db: DatabaseSync,
  config: SqliteConfig,
  rest: string,
  values: readonly SQLInputValue[],
): StoredEvent[] {
  const statement = db.prepare(`SELECT ${eventColumns(config)} ${rest}`);
  statement.setReadBigInts(true);
  return statement.all(...values).map((row) => toEvent(row, config));
}

function eventColumns({ layout }: SqliteConfig): string {
  const { version, ...texts } = layout.events.columns;
  const columns = Object.entries(texts).map(([field, name]) => `CAST(${quoted(name)} AS TEXT) AS "${field}"`);
  return [...columns, `${quoted(version)} AS "version"`].join(', ');
}

function toEvent(row: Row, config: SqliteConfig): StoredEvent {
  const time = parseTime(String(row.time));
  return {
    id: String(row.id),
    streamId: String(row.stream),
    version: exactVersion(row, config),
    type: String(row.type),
    data: String(row.data),
    metadata: row.metadata === null ? null : String(row.metadata),
    recordedAt: time === null ? String(row.time) : formatTime(time),
  };
}

function exactVersion(row: Row, { address }: SqliteConfig): bigint {
  if (typeof row.version === 'bigint') return row.version;
  const which = `an event of stream ${JSON.stringify(row.stream)} of ${address}`;
  throw new BackupError(
    'store_unsupported',
    `${which} has a version that is no integer: ${String(row.version)}`,
    {
      hint: 'correct the row',
    },
  );
}
