import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { BackupError } from '../../core/errors.ts';
import type { AppendResult, NewEvent, StreamAppend } from '../../core/event.ts';
import { assertAppends } from '../../core/new-event.ts';
import { uuidV7Source } from '../../core/uuid-v7.ts';
import { requireOwn, type SqliteConfig } from './config.ts';
import { inTransaction } from './connection.ts';
import { CONSTRAINT_PRIMARY_KEY, resultCode } from './errors.ts';
import { onStore } from './events.ts';
import { quoted } from './sql.ts';

/** One for the process, so that ids ascend whichever handle appends. */
const nextId = uuidV7Source(Date.now, randomBytes);

/** SQLite has one writer at a time: what is read here stays true until the commit. */
export function appendEvents(config: SqliteConfig, appends: readonly StreamAppend[]): AppendResult {
  requireOwn(config, 'events are appended by its own functions');
  assertAppends(appends);
  return onStore(config, 'write', (db) =>
    inTransaction(db, () => {
      const headOf = headReader(db, config);
      const insert = eventInserter(db, config);
      const heads = new Map<string, bigint>();
      for (const { streamId, expectedVersion, events } of appends) {
        let head = headOf(streamId);
        if (expectedVersion !== undefined && head !== expectedVersion) {
          throw conflict(streamId, head, expectedVersion);
        }
        for (const event of events) {
          head += 1n;
          insert(streamId, head, event);
        }
        if (events.length > 0) heads.set(streamId, head);
      }
      return { heads };
    }),
  );
}

function headReader(db: DatabaseSync, { layout }: SqliteConfig): (streamId: string) => bigint {
  const { table, columns } = layout.events;
  const statement = db.prepare(
    `SELECT max(${quoted(columns.version)}) AS head FROM ${quoted(table)} WHERE ${quoted(columns.stream)} = ?`,
  );
  statement.setReadBigInts(true);
  return (streamId) => {
    const head = statement.get(streamId)?.head;
    return typeof head === 'bigint' ? head : BigInt(layout.versionBase) - 1n;
  };
}

/** The time of the event is left to the table's default, as EventCore leaves it. */
function eventInserter(
  db: DatabaseSync,
  { layout }: SqliteConfig,
): (streamId: string, version: bigint, event: NewEvent) => void {
  const { table, columns } = layout.events;
  const { id, stream, version, type, data, metadata } = columns;
  const names = [id, stream, version, type, data, metadata].map(quoted).join(', ');
  const statement = db.prepare(`INSERT INTO ${quoted(table)} (${names}) VALUES (?, ?, ?, ?, ?, ?)`);
  return (streamId, versionNumber, event) => {
    const eventId = event.id ?? nextId();
    try {
      statement.run(eventId, streamId, versionNumber, event.type, event.data, event.metadata ?? '{}');
    } catch (error) {
      if (resultCode(error) !== CONSTRAINT_PRIMARY_KEY) throw error;
      throw new BackupError('event_invalid', `there is already an event ${eventId}`, {
        hint: 'leave the id out, and the store makes one',
        cause: error,
      });
    }
  };
}

function conflict(streamId: string, head: bigint, expected: bigint): BackupError {
  return new BackupError(
    'version_conflict',
    `stream ${JSON.stringify(streamId)} is at version ${head}, not ${expected}`,
    {
      hint: 'read the stream again and decide anew',
      facts: { streamId, version: String(head), expectedVersion: String(expected) },
    },
  );
}
