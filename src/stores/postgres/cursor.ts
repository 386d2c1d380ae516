import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { StoreCursor } from '../../core/event-store.ts';
import { type Database, inTransaction, withClient } from './connection.ts';

/**
 * Identifies the state that the snapshot saw: transactions are comparable only on the same system and timeline. The
 * control functions may be kept from a role; the fields are null then.
 */
export async function readCursor(client: pg.Client, relation: string): Promise<StoreCursor> {
  const { rows } = await client.query<{
    database: string;
    snapshot: string;
    started: string;
    recovering: boolean;
  }>(
    `SELECT (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
            pg_current_snapshot()::text AS snapshot,
            extract(epoch FROM pg_postmaster_start_time())::text AS started,
            pg_is_in_recovery() AS recovering`,
  );
  const { database, snapshot, started, recovering } = rows[0]!;
  const systemIdentifier = await readSystemIdentifier(client);
  const timeline = await readTimeline(client, recovering);
  const lsn = await readLsn(client);
  const role = recovering ? 'standby' : 'primary';
  return { kind: 'postgres', systemIdentifier, timeline, database, relation, started, snapshot, lsn, role };
}

async function readSystemIdentifier(client: pg.Client): Promise<string | null> {
  if (!(await mayCall(client, ['pg_control_system()']))) return null;
  const { rows } = await client.query<{ id: string }>(
    'SELECT system_identifier::text AS id FROM pg_control_system()',
  );
  return rows[0]!.id;
}

/**
 * A primary's timeline is in the name of the file that it writes: the control file may still have the old one for a
 * while after a promotion. A standby has the later of its last restart point's and the one it must replay to.
 */
async function readTimeline(client: pg.Client, recovering: boolean): Promise<number | null> {
  const sql = recovering
    ? `SELECT greatest(c.timeline_id, r.min_recovery_end_timeline) AS timeline
         FROM pg_control_checkpoint() c, pg_control_recovery() r`
    : `SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int AS timeline`;
  const functions = recovering
    ? ['pg_control_checkpoint()', 'pg_control_recovery()']
    : ['pg_walfile_name(pg_lsn)', 'pg_current_wal_lsn()'];
  if (!(await mayCall(client, functions))) return null;
  const { rows } = await client.query<{ timeline: number }>(sql);
  return rows[0]!.timeline;
}

async function mayCall(client: pg.Client, functions: readonly string[]): Promise<boolean> {
  const { rows } = await client.query<{ allowed: boolean }>(
    `SELECT bool_and(has_function_privilege(f, 'EXECUTE')) AS allowed FROM unnest($1::text[]) AS f`,
    [functions],
  );
  return rows[0]!.allowed;
}

/**
 * On a primary how far the log is written, on a standby how far it is replayed; null where a role may not know. All that
 * is visible now lies before it.
 */
export async function readLsn(client: pg.Client): Promise<string | null> {
  const functions = ['pg_current_wal_insert_lsn()', 'pg_last_wal_replay_lsn()'];
  if (!(await mayCall(client, functions))) return null;
  const { rows } = await client.query<{ lsn: string | null }>(
    `SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END::text AS lsn`,
  );
  return rows[0]!.lsn;
}

/** The walwriter writes after 0.2 s by default; the loop ends after about 3 s. */
const FLUSH_CHECKS = 60;
const FLUSH_CHECK_MS = 50;

/**
 * A commit that did not wait for the disk (synchronous_commit = off) is visible before it is safe: a crash takes it back, and
 * gives the number of its transaction to another one, which an incremental backup would then take for an old one.
 */
export async function settle(
  database: Database,
  client: pg.Client,
  cursor: StoreCursor,
): Promise<StoreCursor> {
  const { role, lsn } = cursor;
  if (role === 'standby' || typeof lsn !== 'string') return cursor;
  for (let check = 0; check < FLUSH_CHECKS; check += 1) {
    if (await isFlushed(client, lsn)) return cursor;
    // Where that cannot be asked for, it comes by itself or the next backup compares streams.
    if (check === 0) await urgeFlush(database).catch(ignoreRefusal);
    await sleep(FLUSH_CHECK_MS);
  }
  return { ...cursor, snapshot: null };
}

/**
 * What open transactions have written last may stay in memory for as long as they are open. The end of a transaction, even of
 * one that wrote nothing but has a number, makes the walwriter write all that lies before it. No right is needed for that.
 */
export function urgeFlush(database: Database): Promise<void> {
  return withClient(database, async (client) => {
    await inTransaction(database, client, 'BEGIN READ WRITE', () =>
      client.query('SELECT pg_current_xact_id()'),
    );
  });
}

function ignoreRefusal(error: unknown): void {
  if (!isBackupError(error)) throw error;
}

async function isFlushed(client: pg.Client, lsn: string): Promise<boolean> {
  const sql = 'SELECT pg_current_wal_flush_lsn() >= $1::pg_lsn AS flushed';
  return (await client.query<{ flushed: boolean }>(sql, [lsn])).rows[0]!.flushed;
}

/** The number of the table's file, another one once its rows were written anew: VACUUM FULL and CLUSTER move them. */
export async function readFilenode(client: pg.Client, relation: string): Promise<string | null> {
  const { rows } = await client.query<{ filenode: string | null }>(
    'SELECT pg_relation_filenode($1::oid)::text AS filenode',
    [relation],
  );
  return rows[0]!.filenode;
}

/** Why rows may lie in other blocks than before; null when none has moved. */
export function whyMoved(since: StoreCursor, here: StoreCursor): string | null {
  if (since.filenode == null || here.filenode == null)
    return 'the file of the table is not known of both views';
  if (since.filenode === here.filenode) return null;
  return 'the table was written anew since (VACUUM FULL, CLUSTER or the like): its rows lie elsewhere';
}

/** Transactions between two snapshots from which on 32-bit numbers could be confused. Far below 2^31. */
const MAX_DISTANCE = 2n ** 31n - 2n ** 24n;

/**
 * Why transaction numbers do not tell what `here` sees and `since` could not; null when they do. `seenLsn` was read before the
 * view of `here` began. Throws `store_behind` for a standby whose view is older.
 */
export function whyNotComparable(
  since: StoreCursor,
  here: StoreCursor,
  seenLsn: string | null,
): string | null {
  if (since.kind !== 'postgres') return `the parent was taken from a store of another kind, ${since.kind}`;
  for (const [field, what] of PLACE) {
    if (since[field] == null || here[field] == null) return `the ${what} is not known of both backups`;
    if (since[field] === here[field]) continue;
    if (field === 'relation' && tableOf(since[field]) === tableOf(here[field]))
      return 'the table has other parts than when the parent was taken';
    return `the store is on another ${what} than when the parent was taken`;
  }
  return whyNotBehind(since, here, seenLsn) ?? whyNumbersDiffer(since, here);
}

/** A standby that lags shows less than the parent saw, as if it had been lost. */
function whyNotBehind(since: StoreCursor, here: StoreCursor, seenLsn: string | null): string | null {
  // A manifest may say anything.
  if (seenLsn === null || typeof since.lsn !== 'string' || !LSN.test(since.lsn))
    return 'how far the log of the server is cannot be told';
  if (lsnNumber(seenLsn) >= lsnNumber(since.lsn)) return null;
  if (here.role === 'standby') throw behind(since.lsn, seenLsn);
  return 'the log of the server ends before where the parent saw it';
}

function whyNumbersDiffer(since: StoreCursor, here: StoreCursor): string | null {
  // One that is started may stand on an older copy of its disk, and gives the same numbers a second time.
  if (since.started !== here.started)
    return 'it is another server, or it was started since the parent was taken';
  if (typeof since.snapshot !== 'string') return 'the store could still have lost what the parent saw last';
  if (!SNAPSHOT.test(since.snapshot)) return 'what the parent saw cannot be told';
  const distance = snapshotXmax(String(here.snapshot)) - snapshotXmin(since.snapshot);
  if (distance < 0n) return 'the server has given fewer numbers than when the parent was taken';
  return distance < MAX_DISTANCE ? null : 'more than two thousand million transactions came after the parent';
}

/** A relation of parts names the table first, then those. */
function tableOf(relation: unknown): string {
  return String(relation).split(' ')[0]!;
}

const PLACE = [
  ['systemIdentifier', 'system'],
  ['timeline', 'timeline'],
  ['database', 'database'],
  ['relation', 'table'],
] as const;

function behind(parent: string, seen: string): BackupError {
  return new BackupError('store_behind', `the standby is at ${seen}, the last backup saw up to ${parent}`, {
    hint: 'wait until the standby has caught up, or back up the primary',
    facts: { parentLsn: parent, standbyLsn: seen },
  });
}

const LSN = /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i;
const SNAPSHOT = /^\d{1,20}:\d{1,20}:[\d,]*$/;

export function lsnNumber(lsn: string): bigint {
  const [high, low] = lsn.split('/') as [string, string];
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

function snapshotXmin(snapshot: string): bigint {
  return BigInt(snapshot.split(':')[0]!);
}

function snapshotXmax(snapshot: string): bigint {
  return BigInt(snapshot.split(':')[1]!);
}
