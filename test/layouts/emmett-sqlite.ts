import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

/**
 * What Emmett's SQLite store 0.42.4 makes and sends, told from its code: the package needs sqlite3, whose compilation takes longer than
 * all tests of this program.
 */
const EMMETT_SCHEMA = `
CREATE TABLE IF NOT EXISTS emt_streams(stream_id TEXT NOT NULL, stream_position BIGINT NOT NULL DEFAULT 0,
  partition TEXT NOT NULL DEFAULT 'global', stream_type TEXT NOT NULL, stream_metadata JSONB NOT NULL,
  is_archived BOOLEAN NOT NULL DEFAULT FALSE, PRIMARY KEY (stream_id, partition, is_archived),
  UNIQUE (stream_id, partition, is_archived));
CREATE TABLE IF NOT EXISTS emt_messages(stream_id TEXT NOT NULL, stream_position BIGINT NOT NULL,
  partition TEXT NOT NULL DEFAULT 'global', message_kind CHAR(1) NOT NULL DEFAULT 'E', message_data JSONB NOT NULL,
  message_metadata JSONB NOT NULL, message_schema_version TEXT NOT NULL, message_type TEXT NOT NULL,
  message_id TEXT NOT NULL, is_archived BOOLEAN NOT NULL DEFAULT FALSE, global_position INTEGER PRIMARY KEY,
  created DATETIME DEFAULT CURRENT_TIMESTAMP, UNIQUE (stream_id, stream_position, partition, is_archived));`;

const PROCESSORS = `
CREATE TABLE IF NOT EXISTS emt_processors(processor_id TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 1,
  partition TEXT NOT NULL DEFAULT 'global', status TEXT NOT NULL DEFAULT 'stopped',
  last_processed_checkpoint TEXT NOT NULL, processor_instance_id TEXT DEFAULT 'emt:unknown',
  PRIMARY KEY (processor_id, partition, version));
CREATE TABLE IF NOT EXISTS emt_projections(name TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 1,
  partition TEXT NOT NULL DEFAULT 'global', type CHAR(1) NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL,
  definition JSONB NOT NULL DEFAULT '{}', PRIMARY KEY (name, partition, version));`;

/** Of 0.41. */
const SUBSCRIPTIONS = `
CREATE TABLE IF NOT EXISTS emt_subscriptions(subscription_id TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 1,
  partition TEXT NOT NULL DEFAULT 'global', last_processed_position BIGINT NOT NULL,
  PRIMARY KEY (subscription_id, partition, version));`;

export function makeEmmett(db: DatabaseSync, version: '0.41' | '0.42' = '0.42'): void {
  db.exec(`PRAGMA journal_mode = WAL; ${EMMETT_SCHEMA} ${version === '0.42' ? PROCESSORS : SUBSCRIPTIONS}`);
}

export interface EmmettMessage {
  readonly type: string;
  readonly data: unknown;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export function added(n: number): EmmettMessage {
  return { type: 'ProductAdded', data: { n, name: `Grüße ${n} 🙂` }, metadata: { by: 'test', n } };
}

/** `appendToStream`: the position after it, or null for a conflict, which moves the stream's head all the same. */
export function append(
  db: DatabaseSync,
  stream: string,
  messages: readonly EmmettMessage[],
  expectedStreamVersion?: number,
): number | null {
  db.exec('BEGIN IMMEDIATE TRANSACTION');
  const expected = expectedStreamVersion ?? lastPosition(db, stream);
  const head = moveHead(db, stream, messages.length, expected);
  if (head === expected + messages.length) insertMessages(db, stream, messages, expected);
  db.exec('COMMIT');
  return head === expected + messages.length ? head : null;
}

function lastPosition(db: DatabaseSync, stream: string): number {
  const row = db
    .prepare(
      'SELECT CAST(stream_position AS VARCHAR) AS stream_position FROM emt_streams WHERE stream_id = ?',
    )
    .get(stream);
  return Number(row?.stream_position ?? 0);
}

/** It binds an object where the partition is meant, which becomes this text. */
const HEAD_PARTITION = '[object Object]';

function moveHead(db: DatabaseSync, stream: string, count: number, expected: number): number | null {
  if (expected === 0) {
    const isThere = db
      .prepare('SELECT 1 FROM emt_streams WHERE stream_id = ? AND partition = ? AND NOT is_archived')
      .get(stream, HEAD_PARTITION);
    if (isThere !== undefined) return null;
    db.prepare(
      `INSERT INTO emt_streams (stream_id, stream_position, partition, stream_type, stream_metadata, is_archived)
       VALUES (?, ?, ?, 'emt:unknown', '[]', false)`,
    ).run(stream, count, HEAD_PARTITION);
    return count;
  }
  const row = db
    .prepare(
      `UPDATE emt_streams SET stream_position = stream_position + ?
        WHERE stream_id = ? AND partition = ? AND is_archived = false RETURNING stream_position`,
    )
    .get(count, stream, HEAD_PARTITION);
  if (row === undefined) throw new Error('Could not find stream position');
  return Number(row.stream_position);
}

function insertMessages(
  db: DatabaseSync,
  stream: string,
  messages: readonly EmmettMessage[],
  expected: number,
): void {
  const insert = db.prepare(
    `INSERT INTO emt_messages (stream_id, stream_position, partition, message_kind, message_data, message_metadata,
       message_schema_version, message_type, message_id, is_archived) VALUES (?, ?, 'emt:default', 'E', ?, ?, ?, ?, ?, 0)`,
  );
  for (const [i, { type, data, metadata }] of messages.entries()) {
    const whole = { streamName: stream, messageId: randomUUID(), streamPosition: String(i + 1), ...metadata };
    const id = String(whole.messageId);
    const position = String(expected + i + 1);
    insert.run(stream, position, JSON.stringify(data), JSON.stringify(whole), String(expected), type, id);
  }
}

/** The version that `readStream` gives; 0 where there is no stream. */
export function readVersion(db: DatabaseSync, stream: string): number {
  const row = db
    .prepare(
      `SELECT max(stream_position) AS version FROM emt_messages
        WHERE stream_id = ? AND partition = 'emt:default' AND is_archived = FALSE`,
    )
    .get(stream);
  return Number(row?.version ?? 0);
}

/** Runs a processor once: what it was given, as `stream@position`, in that order. It stores the place of each message, as Emmett does. */
export function consume(db: DatabaseSync, processorId: string, limit = -1): string[] {
  const checkpoint = db.prepare(
    `SELECT last_processed_checkpoint FROM emt_processors WHERE partition = 'emt:default' AND processor_id = ? LIMIT 1`,
  );
  const after = Number(checkpoint.get(processorId)?.last_processed_checkpoint ?? 0);
  const messages = db
    .prepare(
      `SELECT stream_id, stream_position, global_position FROM emt_messages
        WHERE partition = 'emt:default' AND is_archived = FALSE AND global_position >= ? ORDER BY global_position LIMIT ?`,
    )
    .all(after + 1, limit);
  const store = db.prepare(
    `INSERT INTO emt_processors (processor_id, version, last_processed_checkpoint, partition) VALUES (?, 1, ?, 'emt:default')
     ON CONFLICT DO UPDATE SET last_processed_checkpoint = excluded.last_processed_checkpoint`,
  );
  for (const { global_position } of messages)
    store.run(processorId, String(global_position).padStart(19, '0'));
  return messages.map(({ stream_id, stream_position }) => `${stream_id}@${stream_position}`);
}

/** All rows of a table, each value with its storage class and every digit of it. */
export function exactRows(db: DatabaseSync, table: string, order = '1'): readonly string[] {
  const names = db
    .prepare('SELECT name FROM pragma_table_info(?)')
    .all(table)
    .map(({ name }) => `"${String(name)}"`);
  const values = names.map(
    (name) =>
      `CASE typeof(${name}) WHEN 'real' THEN format('%!.17g', ${name}) ELSE hex(${name}) END, typeof(${name})`,
  );
  const sql = `SELECT concat_ws(' ', ${values.join(', ')}) AS row FROM "${table}" ORDER BY ${order}`;
  return db
    .prepare(sql)
    .all()
    .map(({ row }) => String(row));
}
