import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { qualified } from './catalog.ts';
import { APPLICATION_NAME } from './connection.ts';
import { tableSql } from './schema.ts';
import { sqlState } from './server-error.ts';

/**
 * A restore loads into a schema of its own, which a comment marks as an attempt on a target. As long as the attempt
 * lives, its session holds a lock on the target; so a marked schema whose target is not locked is what a killed attempt
 * left.
 */
const NAME_PREFIX = 'eventcore_restore_';
const ATTEMPT_ID = /^[0-9A-Za-z_-]{1,40}$/;

/** First half of the keys of our advisory locks; EventCore's own locks have keys of one part. */
const LOCK_CLASS = 0x4556_4250;

/**
 * Off for a staged table: autovacuum would take processor time from the restore, and its locks would hold up the
 * indexes and the publishing. To be reset when the table is published.
 */
export const STAGED_OPTIONS: readonly string[] = ['autovacuum_enabled', 'toast.autovacuum_enabled'];

/** Which parts were loaded, and what of them was recorded: as safe as the staged events, and gone with them. */
export const PARTS = 'eventcore_restore_parts';

interface Marker {
  readonly program: typeof APPLICATION_NAME;
  readonly attemptId: string;
  /** `schema.table`. */
  readonly target: string;
  /** RFC 3339. */
  readonly startedAt: string;
}

export function stagingSchema(attemptId: string): string {
  if (ATTEMPT_ID.test(attemptId)) return NAME_PREFIX + attemptId.replaceAll('-', '_');
  throw new BackupError(
    'usage',
    `attempt id ${JSON.stringify(attemptId)} is not 1 to 40 letters, digits or -`,
  );
}

function targetName(schema: string): string {
  return `${schema}.${EVENTS.name}`;
}

/** Takes the lock that a restore holds on its target until its session ends. Throws `lease_held`. */
export async function lockTarget(client: pg.Client, schema: string): Promise<void> {
  const { rows } = await client.query<{ locked: boolean }>(
    'SELECT pg_try_advisory_lock($1, hashtext($2)) AS locked',
    [LOCK_CLASS, targetName(schema)],
  );
  if (rows[0]!.locked) return;
  throw new BackupError('lease_held', `another restore into ${targetName(schema)} is running`, {
    hint: 'wait for it; if it was killed, its server session ends by itself within a minute',
  });
}

/** Harmless where the session does not hold it. */
export async function unlockTarget(client: pg.Client, schema: string): Promise<void> {
  await client.query('SELECT pg_advisory_unlock($1, hashtext($2))', [LOCK_CLASS, targetName(schema)]);
}

/** Waits for the lock, within the session's lock_timeout: until then the session that holds it may still commit. */
export async function awaitLock(client: pg.Client, schema: string): Promise<void> {
  await client.query('SELECT pg_advisory_lock($1, hashtext($2))', [LOCK_CLASS, targetName(schema)]);
}

/** Creates the schema with an empty events table, without indexes, and the ledger of parts: in one transaction, so never without its mark. */
export async function createStaging(
  client: pg.Client,
  options: { readonly schema: string; readonly attemptId: string; readonly targetSchema: string },
  kind: 'UNLOGGED ' | '',
): Promise<void> {
  const marker: Marker = {
    program: APPLICATION_NAME,
    attemptId: options.attemptId,
    target: targetName(options.targetSchema),
    startedAt: new Date().toISOString(),
  };
  const schema = pg.escapeIdentifier(options.schema);
  await createSchema(client, schema);
  await client.query(`COMMENT ON SCHEMA ${schema} IS ${pg.escapeLiteral(JSON.stringify(marker))}`);
  const without = STAGED_OPTIONS.map((option) => `${option} = false`);
  await client.query(`${tableSql(options.schema, EVENTS, kind)} WITH (${without.join(', ')})`);
  const parts = qualified(options.schema, PARTS);
  await client.query(`CREATE ${kind}TABLE ${parts} (part text PRIMARY KEY, record text NOT NULL)`);
}

async function createSchema(client: pg.Client, schema: string): Promise<void> {
  try {
    await client.query(`CREATE SCHEMA ${schema}`);
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    throw new BackupError(
      'store_refused',
      `a restore needs the right to create a schema: ${(error as Error).message}`,
      {
        hint: `as the owner of the database: GRANT CREATE ON DATABASE ${client.database} TO ${client.user}`,
        cause: error,
      },
    );
  }
}

/** Drops what killed attempts on this target left, and says what that was. To be called with the target locked. */
export async function discardLeftovers(client: pg.Client, targetSchema: string): Promise<string[]> {
  const left = await findAttempts(client, targetSchema);
  for (const { name } of left) await dropStaging(client, name);
  return left.map(describeAttempt);
}

/** What `discardLeftovers` would drop; nothing while a restore is running. */
export async function describeLeftovers(client: pg.Client, targetSchema: string): Promise<string[]> {
  const isHeld = await isLocked(client, targetSchema);
  return isHeld ? [] : (await findAttempts(client, targetSchema)).map(describeAttempt);
}

/** Whether a restore into the target is alive. */
export async function isLocked(client: pg.Client, targetSchema: string): Promise<boolean> {
  const { rows } = await client.query<{ held: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database d ON d.oid = database
      WHERE locktype = 'advisory' AND datname = current_database() AND classid = $1 AND objsubid = 2
        AND objid = (hashtext($2)::bigint & 4294967295)::oid) AS held`,
    [LOCK_CLASS, targetName(targetSchema)],
  );
  return rows[0]!.held;
}

interface Attempt {
  readonly name: string;
  readonly startedAt: string;
}

/** Those that this role may drop. */
async function findAttempts(client: pg.Client, targetSchema: string): Promise<Attempt[]> {
  const { rows } = await client.query<{ name: string; marker: string | null }>(
    `SELECT nspname AS name, obj_description(oid, 'pg_namespace') AS marker FROM pg_namespace
      WHERE starts_with(nspname, $1) AND pg_has_role(nspowner, 'USAGE')`,
    [NAME_PREFIX],
  );
  return rows.flatMap(({ name, marker }) => {
    const attempt = parseMarker(marker);
    return attempt?.target === targetName(targetSchema) ? [{ name, startedAt: attempt.startedAt }] : [];
  });
}

function describeAttempt({ name, startedAt }: Attempt): string {
  return `schema ${name} of a restore that was started at ${startedAt} and killed`;
}

function parseMarker(text: string | null): Marker | null {
  try {
    const marker = JSON.parse(text ?? 'null') as Marker | null;
    return marker?.program === APPLICATION_NAME ? marker : null;
  } catch {
    return null;
  }
}

/** Ends the sessions of the attempt that are still at work in the schema, then drops it. */
export async function dropStaging(client: pg.Client, schema: string): Promise<void> {
  await endSessions(client, schema, 'true');
  await client.query(`DROP SCHEMA IF EXISTS ${pg.escapeIdentifier(schema)} CASCADE`);
}

/** Ends the sessions of the attempt that still write into the schema; others may read. */
export async function endWriters(client: pg.Client, schema: string): Promise<void> {
  await endSessions(client, schema, "l.mode = 'RowExclusiveLock'");
}

async function endSessions(client: pg.Client, schema: string, condition: string): Promise<void> {
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM (
       SELECT DISTINCT l.pid FROM pg_locks l
         JOIN pg_class c ON c.oid = l.relation
         JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_stat_activity a ON a.pid = l.pid AND a.datname = current_database()
        WHERE n.nspname = $1 AND l.pid <> pg_backend_pid() AND ${condition}
          AND a.usename = current_user AND a.application_name = $2) AS writers`,
    [schema, APPLICATION_NAME],
  );
}

export async function schemaExists(client: pg.Client, schema: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    'SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS there',
    [schema],
  );
  return rows[0]!.there;
}
