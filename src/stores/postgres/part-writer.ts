import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import type { BatchWriter, JoinedPart, PartWriter } from '../../core/event-store.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { openBulkConnection } from './bulk-session.ts';
import { qualified } from './catalog.ts';
import { type Database, dropConnection, endConnection } from './connection.ts';
import { openCopy, restoreIsOver } from './copy-writer.ts';
import { enterRestore } from './restore-token.ts';
import { sqlState, toBackupError } from './server-error.ts';
import { isLocked, PARTS } from './staging.ts';

/** One part of a restore: its rows and its line in the ledger are one transaction. */
interface OpenPart {
  readonly database: Database;
  readonly client: pg.Client;
  readonly copy: BatchWriter;
  /** The ledger, whose key lets one line of a part through. */
  readonly ledger: string;
  readonly part: string;
}

/**
 * Looks first, in a transaction of its own: who is paused before the first event holds nothing that others wait for. A restore
 * whose lock is gone is dead: what is loaded for it would be thrown away.
 */
export async function joinPart(database: Database, token: string, part: string): Promise<JoinedPart> {
  const schema = enterRestore(database, token);
  const { shown, schema: targetSchema } = database.address;
  const ledger = qualified(schema, PARTS);
  const client = await openBulkConnection(database);
  try {
    const record = await readRecord(client, ledger, part);
    if (record !== null) {
      await endConnection(database, client);
      return { state: 'loaded', record };
    }
    if (!(await isLocked(client, targetSchema))) throw restoreIsOver(shown);
    await client.query('BEGIN');
    const copy = await openCopy(database, client, qualified(schema, EVENTS.name));
    return { state: 'open', writer: partWriter({ database, client, copy, ledger, part }) };
  } catch (error) {
    dropConnection(database, client);
    throw explain(error, shown);
  }
}

function partWriter(open: OpenPart): PartWriter {
  const { database, client, copy } = open;
  let isOver = false;
  const abort = async (): Promise<void> => {
    if (!isOver) dropConnection(database, client);
    isOver = true;
  };
  return {
    write: (batch) => copy.write(batch),
    end: async (record) => {
      if (isOver) throw new BackupError('internal', 'a writer of a part that has ended was ended again');
      try {
        await copy.end();
        const kept = await commitPart(open, record);
        isOver = true;
        await endConnection(database, client);
        return kept;
      } catch (error) {
        await abort();
        throw explain(error, database.address.shown);
      }
    },
    abort,
  };
}

/**
 * In one message, so that nothing that happens to this process can hold the key between the two: another one that ends the
 * part would wait for it.
 */
async function commitPart({ client, ledger, part }: OpenPart, record: string): Promise<string> {
  const values = [part, record].map((value) => pg.escapeLiteral(value)).join(', ');
  try {
    await client.query(`INSERT INTO ${ledger} (part, record) VALUES (${values}); COMMIT`);
    return record;
  } catch (error) {
    if (sqlState(error) !== '23505') throw error;
    await client.query('ROLLBACK');
    const kept = await readRecord(client, ledger, part);
    if (kept === null) throw error;
    return kept;
  }
}

async function readRecord(client: pg.Client, ledger: string, part: string): Promise<string | null> {
  const { rows } = await client.query<{ record: string }>(`SELECT record FROM ${ledger} WHERE part = $1`, [
    part,
  ]);
  return rows[0]?.record ?? null;
}

function explain(error: unknown, shown: string): BackupError {
  const state = sqlState(error);
  const isGone = state === '42P01' || state === '3F000';
  return isGone ? restoreIsOver(shown, error) : toBackupError(error, shown);
}
