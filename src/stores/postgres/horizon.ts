import pg from 'pg';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { lsnNumber } from './cursor.ts';

/** What a look at the server says about commits that a feed has not read yet. */
export interface Probe {
  /** What is committed from now on stands here or later. */
  readonly position: bigint;
  /** So does the commit of every transaction with this number or a greater one. */
  readonly xid: bigint;
  /** The server's clock, before the position was read. */
  readonly time: bigint;
  /** The publication still has the events table, and the table is still the one that is followed. */
  readonly isPublished: boolean;
}

/** Of the first page of a segment, and of others: an insert position behind them is one at the page's start. */
const PAGE_HEADERS = [40n, 24n];
const PAGE_BYTES = 8192n;

/**
 * Reads the position first, then which numbers are in use, then which are not yet. A transaction whose commit record
 * stands before the position either holds the lock on its number still (a commit waits between writing its record and
 * becoming visible, for a synchronous standby as long as it takes), or has become visible before the snapshot. So the first
 * number above both has its commit later. The snapshot alone would not say so. A message of several statements has one
 * statement_timestamp() and, in READ COMMITTED, a snapshot for each.
 */
export async function takeProbe(
  client: pg.Client,
  schema: string,
  publication: string,
  relation: string,
): Promise<Probe> {
  // By the catalog: to_regclass() would take the right to use the schema, and no row is read here.
  const table = `(SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = ${pg.escapeLiteral(schema)} AND c.relname = ${pg.escapeLiteral(EVENTS.name)})`;
  const results: unknown = await client.query(`
    SELECT pg_current_wal_insert_lsn()::text AS lsn,
           encode(timestamptz_send(statement_timestamp()), 'hex') AS time;
    SELECT coalesce(array_agg(transactionid::text), '{}')::text[] AS held
      FROM pg_locks WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted;
    SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS xmax,
           ${table} = ${relation}
           AND EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
                        WHERE p.pubname = ${pg.escapeLiteral(publication)} AND r.prrelid = ${relation}) AS published`);
  const [where, locks, after] = (results as pg.QueryResult[]).map(({ rows }) => rows[0]);
  return {
    position: withoutPageHeader(lsnNumber(where.lsn)),
    time: BigInt.asIntN(64, BigInt(`0x${where.time}`)),
    xid: firstUnused(BigInt(after.xmax), locks.held),
    isPublished: after.published === true,
  };
}

/** Locks have 32 bits of a number: the nearest one to `xmax` is meant. */
export function firstUnused(xmax: bigint, held: readonly string[]): bigint {
  let first = xmax;
  for (const text of held) {
    const above = BigInt.asIntN(32, BigInt(text) - xmax);
    if (xmax + above >= first) first = xmax + above + 1n;
  }
  return first;
}

/** Keepalives say where the last record ends; the insert position is already behind the header of a new page. */
export function withoutPageHeader(position: bigint): bigint {
  const inPage = position % PAGE_BYTES;
  return PAGE_HEADERS.includes(inPage) ? position - inPage : position;
}
