import { randomBytes } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { throwIfAborted } from '../../core/errors.ts';
import { uuidV7Source } from '../../core/uuid-v7.ts';

/** What happened at once: written together, or not at all. */
export interface Transaction {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly events: readonly { readonly streamId: string; readonly type: string; readonly data: string }[];
}

/** The consumer that the application pretends to have; its position is backed up and restored with the events. */
const CONSUMER = 'search-index';
/** Lets signals in now and then; SQLite works synchronously. */
const TRANSACTIONS_AT_ONCE = 256;

/**
 * Does to an EventCore database what an application that uses EventCore does: one SQLite transaction for each of
 * these, and at the end a consumer that has seen everything. It shares no code with what is shown off afterwards,
 * and, unlike an append of now, it can write events with the times of the past.
 */
export async function runApplication(
  path: string,
  transactions: Iterable<Transaction>,
  signal: AbortSignal,
): Promise<number> {
  const db = new DatabaseSync(path);
  try {
    // A power cut may take the last transactions of a database that is thrown away in a moment.
    db.exec('PRAGMA synchronous = NORMAL');
    const statements = prepare(db);
    const clock = { nowMs: 0 };
    const nextId = uuidV7Source(() => clock.nowMs, randomBytes);
    let count = 0;
    let lastId = '';
    for (const transaction of transactions) {
      clock.nowMs = transaction.timeMs;
      lastId = writeTransaction(db, statements, transaction, nextId) ?? lastId;
      count += 1;
      if (count % TRANSACTIONS_AT_ONCE !== 0) continue;
      await new Promise((resolve) => setImmediate(resolve));
      throwIfAborted(signal);
    }
    if (lastId !== '') statements.checkpoint.run(CONSUMER, lastId);
    return count;
  } finally {
    db.close();
  }
}

interface Statements {
  readonly head: StatementSync;
  readonly insert: StatementSync;
  readonly checkpoint: StatementSync;
}

function prepare(db: DatabaseSync): Statements {
  return {
    head: db.prepare('SELECT max(stream_version) AS version FROM eventcore_events WHERE stream_id = ?'),
    insert: db.prepare(
      `INSERT INTO eventcore_events
         (event_id, stream_id, stream_version, event_type, event_data, metadata, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    checkpoint: db.prepare(
      'INSERT INTO eventcore_subscription_versions (subscription_name, last_position) VALUES (?, ?)',
    ),
  };
}

/** Gives the id of the last event. */
function writeTransaction(
  db: DatabaseSync,
  { head, insert }: Statements,
  { timeMs, events }: Transaction,
  nextId: () => string,
): string | null {
  const time = new Date(timeMs).toISOString();
  let id: string | null = null;
  db.exec('BEGIN IMMEDIATE');
  for (const { streamId, type, data } of events) {
    const version = Number(head.get(streamId)?.version ?? 0) + 1;
    id = nextId();
    insert.run(id, streamId, version, type, data, '{}', time);
  }
  db.exec('COMMIT');
  return id;
}
