import type pg from 'pg';
import { sqlState } from './server-error.ts';

/**
 * Sessions of a recovery or a backup, as a condition on pg_stat_activity: of this role, and with our names. Whoever shares the role is not
 * ours by that alone.
 */
export const OURS = `(usename = session_user AND application_name ~ '^eventcore-(recovery|backup)( |$)')`;

/** Somebody else who is in. */
export interface Other {
  readonly pid: number;
  readonly text: string;
  readonly hasOurRole: boolean;
  /** This role may not end a superuser's session unless it is one. */
  readonly isBeyondUs: boolean;
}

/**
 * Sessions that could write: clients, and senders of logical replication, which take any SQL; those of physical replication do not. A
 * session has its name some milliseconds after it is seen, so one of our role is only judged by it then.
 */
const OTHERS = `
  SELECT pid, usename, application_name, client_addr FROM pg_stat_activity
   WHERE pid <> pg_backend_pid() AND usename IS NOT NULL AND NOT ${OURS}
     AND (backend_type = 'client backend' OR backend_type = 'walsender' AND datid IS NOT NULL)
     AND NOT (usename = session_user AND application_name = '' AND backend_start > clock_timestamp() - interval '100 ms')`;

interface OtherRow {
  readonly pid: number;
  readonly text: string;
  readonly has_our_role: boolean;
  readonly is_beyond_us: boolean;
}

/** Who else is in. */
export function listOthers(client: pg.Client): Promise<Other[]> {
  return askOthers(client, 'NULL');
}

/** Ends the sessions of others, as far as this role may, and gives whom it found. Sessions end some time after they were told to. */
export function endOthers(client: pg.Client): Promise<Other[]> {
  return askOthers(client, 'CASE WHEN NOT is_beyond_us THEN pg_terminate_backend(pid) END');
}

async function askOthers(client: pg.Client, act: string): Promise<Other[]> {
  const { rows } = await client.query<OtherRow>(`
    WITH others AS MATERIALIZED (${OTHERS}),
         told AS MATERIALIZED (
           SELECT others.*, usename = session_user AS has_our_role,
                  NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
                    AND coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = usename), true) AS is_beyond_us
             FROM others)
    SELECT pid, has_our_role, is_beyond_us, ${act} AS ended,
           concat_ws(' ', usename, 'from ' || coalesce(client_addr::text, 'a socket'),
             '(' || nullif(application_name, '') || ')') AS text
      FROM told`);
  return rows.map((row) => ({
    pid: row.pid,
    text: row.text,
    hasOurRole: row.has_our_role,
    isBeyondUs: row.is_beyond_us,
  }));
}

/**
 * Who is still being asked who they are: from PostgreSQL 18 on seen without a name; before that in no view, but with the lock on its own
 * virtual transaction already.
 */
export async function listNewcomers(client: pg.Client): Promise<readonly number[]> {
  const { rows } = await client.query<{ pid: number }>(`
    SELECT pid FROM pg_locks WHERE locktype = 'virtualxid' AND pid NOT IN (SELECT pid FROM pg_stat_activity)
     UNION SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename IS NULL`);
  return rows.map(({ pid }) => pid);
}

/** As far as it can be done: those who have not said a word cannot be told, and not everybody may tell the others. */
export async function endNewcomers(client: pg.Client, pids: readonly number[]): Promise<void> {
  if (pids.length === 0) return;
  await client
    .query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [pids])
    .catch((error) => {
      if (sqlState(error) === null) throw error;
    });
}

/** What no fence keeps from writing, or leaves as it is. */
export interface Beyond {
  readonly prepared: number;
  /** Kinds of workers that are not PostgreSQL's own housekeeping; null when there are none. */
  readonly workers: string | null;
}

const HOUSEKEEPING = [
  ...[
    'archiver',
    'autovacuum launcher',
    'autovacuum worker',
    'background writer',
    'checkpointer',
    'client backend',
  ],
  ...[
    'io worker',
    'logger',
    'logical replication launcher',
    'parallel worker',
    'slotsync worker',
    'standalone backend',
  ],
  ...['startup', 'walreceiver', 'walsender', 'walsummarizer', 'walwriter'],
];

export async function findBeyond(client: pg.Client): Promise<Beyond> {
  const { rows } = await client.query<{ prepared: string; workers: string | null }>(
    `SELECT (SELECT count(*) FROM pg_prepared_xacts) AS prepared,
            (SELECT string_agg(DISTINCT backend_type, ', ') FROM pg_stat_activity
              WHERE backend_type <> ALL ($1)) AS workers`,
    [HOUSEKEEPING],
  );
  return { prepared: Number(rows[0]!.prepared), workers: rows[0]!.workers };
}
