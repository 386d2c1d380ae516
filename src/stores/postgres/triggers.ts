import pg from 'pg';
import { sqlState } from './server-error.ts';

/** How pg_trigger says that a trigger fires, and how ALTER TABLE does. */
const ENABLING: Readonly<Record<string, string>> = {
  O: 'ENABLE TRIGGER',
  A: 'ENABLE ALWAYS TRIGGER',
  R: 'ENABLE REPLICA TRIGGER',
  D: 'DISABLE TRIGGER',
};

interface TriggerState {
  /** Quoted where needed. */
  readonly table: string;
  readonly name: string;
  readonly state: string;
}

/** A table's own triggers, those of its parts too, and how they are to fire when they are on again. */
export async function disableTriggers(client: pg.Client, table: string): Promise<readonly TriggerState[]> {
  const triggers = await readTriggers(client, table);
  for (const one of new Set([table, ...triggers.map((trigger) => trigger.table)]))
    await client.query(`ALTER TABLE ${one} DISABLE TRIGGER USER`);
  return triggers;
}

/** The table comes first: what is said of its trigger is said of its parts' as well, until they say otherwise. */
export async function enableTriggers(client: pg.Client, triggers: readonly TriggerState[]): Promise<void> {
  for (const { table, name, state } of triggers) {
    await client.query(`ALTER TABLE ${table} ${ENABLING[state]!} ${pg.escapeIdentifier(name)}`);
  }
}

async function readTriggers(client: pg.Client, table: string): Promise<TriggerState[]> {
  const { rows } = await client.query<TriggerState>(
    `SELECT format('%I.%I', nspname, relname) AS table, tgname AS name, tgenabled AS state
       FROM (SELECT $1::regclass AS oid, 0 AS level UNION
             SELECT relid, level FROM pg_partition_tree($1::regclass)) AS tables
       JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_trigger ON tgrelid = c.oid
      WHERE NOT tgisinternal ORDER BY level, 1, tgname`,
    [table],
  );
  return rows;
}

/**
 * Works in the transaction that the session is in while the table's triggers do not fire: they would renumber events. As a
 * replica nobody is held up by it; where that is not allowed, or would not keep all of them off, the owner switches them off, which
 * keeps all writers from the table until the transaction ends.
 */
export async function withoutTriggers<Result>(
  client: pg.Client,
  table: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const fireAsReplica = (await readTriggers(client, table)).some(({ state }) => 'AR'.includes(state));
  if (!fireAsReplica && (await becomeReplica(client))) {
    const result = await work();
    await client.query('SET LOCAL session_replication_role = origin');
    return result;
  }
  const triggers = await disableTriggers(client, table);
  const result = await work();
  await enableTriggers(client, triggers);
  return result;
}

async function becomeReplica(client: pg.Client): Promise<boolean> {
  await client.query('SAVEPOINT replica');
  try {
    await client.query('SET LOCAL session_replication_role = replica');
    return true;
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    await client.query('ROLLBACK TO replica');
    return false;
  }
}
