import { BackupError } from '../../core/errors.ts';
import type { RepairKind } from '../../core/finding.ts';
import type { RepairOptions, RepairSession, RepairStatement } from '../../core/repair.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { endWithUs } from './bulk-session.ts';
import { qualified, requireEvents, requireOwn } from './catalog.ts';
import { abandonConnection, type Database, endConnection, openConnection } from './connection.ts';
import { putBack } from './put-back.ts';
import { ensureRecord, inSavepoint, keepStatement, type Repair, recordTable } from './repair-record.ts';
import { tableSql } from './schema.ts';
import { sqlState, toBackupError } from './server-error.ts';

/** First half of the keys of the lock of a repair; the second is its target's. */
const LOCK_CLASS = 0x4556_5250;

/** All of it is one transaction of one session, which ends with this process: whatever dies, the store is as it was. */
export async function openRepair(
  database: Database,
  { repairId, withoutIndexes = false }: RepairOptions,
): Promise<RepairSession> {
  const { schema } = database.address;
  const client = await openConnection(database);
  const repair: Repair = {
    ...{ client, schema, repairId, withoutIndexes },
    live: qualified(schema, EVENTS.name),
    record: recordTable(schema),
  };
  try {
    await endWithUs(client);
    requireOwn(database.address, 'nothing is repaired in place');
    const { oid } = await requireEvents(client, database.address);
    await requireOneTable(repair, oid);
    await client.query('BEGIN');
    await lockRepairs(repair);
    await ensureRecord(repair);
    await client.query(`${tableSql('pg_temp', EVENTS, 'TEMP ')} ON COMMIT DROP`);
  } catch (error) {
    await abandonConnection(database, client);
    throw explain(database, error);
  }
  return session(database, repair);
}

function session(database: Database, repair: Repair): RepairSession {
  const { client } = repair;
  let isOver = false;
  const refusing = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (isOver) throw new BackupError('internal', 'the repair is over');
    try {
      return await work();
    } catch (error) {
      throw explain(database, error);
    }
  };
  return {
    putBack: (batch, reason) => refusing(() => putBack(database, repair, batch, reason)),
    execute: (statements, kind) =>
      refusing(() => inSavepoint(client, () => executeAll(repair, statements, kind))),
    publish: () =>
      refusing(async () => {
        await client.query('COMMIT');
        isOver = true;
        await endConnection(database, client);
      }),
    discard: async () => {
      if (isOver) return;
      isOver = true;
      await abandonConnection(database, client);
    },
  };
}

async function executeAll(
  repair: Repair,
  statements: readonly RepairStatement[],
  kind: RepairKind,
): Promise<void> {
  for (const { sql, parameters, reason, before } of statements) {
    await keepStatement(repair, kind, reason, before);
    await repair.client.query(sql, [...(parameters ?? [])]);
  }
}

/** A row is told by its place in its table: with parts of their own, two rows could have the same. */
async function requireOneTable({ client, live }: Repair, oid: string): Promise<void> {
  const { rows } = await client.query<{ parted: boolean }>(
    'SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = $1) AS parted',
    [oid],
  );
  if (!rows[0]!.parted) return;
  throw new BackupError(
    'store_unsupported',
    `${live} has partitions, in which single rows cannot be repaired`,
    {
      hint: 'restore the streams with `eventcore restore --stream` into another store, and copy them by hand',
    },
  );
}

async function lockRepairs({ client, schema, live }: Repair): Promise<void> {
  const { rows } = await client.query<{ locked: boolean }>(
    'SELECT pg_try_advisory_xact_lock($1, hashtext($2)) AS locked',
    [LOCK_CLASS, `${schema}.${EVENTS.name}`],
  );
  if (rows[0]!.locked) return;
  throw new BackupError('lease_held', `another repair of ${live} is under way`, {
    hint: 'wait for it; if it was killed, its server session ends by itself within seconds',
  });
}

/** Which rights a repair needs is not told by the server. */
function explain(database: Database, error: unknown): BackupError {
  const { shown } = database.address;
  if (sqlState(error) !== '42501' || error instanceof BackupError) return toBackupError(error, shown);
  const { message } = error as Error;
  return new BackupError('store_refused', `${shown}: a repair is not allowed to do that: ${message}`, {
    hint: 'repair as the owner of the tables; or GRANT SELECT, UPDATE, DELETE on them and, from PostgreSQL 15 on, SET ON PARAMETER session_replication_role',
    cause: error,
  });
}
