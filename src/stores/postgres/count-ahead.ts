import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { FeedSource } from '../../core/change-feed.ts';
import type { PlaceAhead } from '../../core/event-store.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { findTable } from './catalog.ts';
import { type Database, dropConnection, endConnection, findPooler, openConnection } from './connection.ts';
import { readCursor } from './cursor.ts';
import { sqlState, toBackupError } from './server-error.ts';
import { feedName, readPublication, readSlot } from './slot.ts';

/** The server decodes about this much in a second; it puts what it counts into a file when it is more than a few MB. */
const MAX_DECODED_BYTES = 64n << 20n;
/** Of a session that died here the server gets rid by itself, and of its slot with it. */
const IDLE_TIMEOUT_MS = 10_000;

/**
 * Lets the server decode what the feed's slot has still to give, as it would for the feed: so it is exact whatever
 * the order in which transactions began, were prepared and committed, which no number of a row says. It is done with a copy of the slot
 * that lives as long as this session; the slot itself may be read meanwhile, and neither moves. What is committed without waiting for
 * the disk counts once it is there, as for a feed.
 *
 * Null when the server stands elsewhere than `source`, keeps too much for the slot, takes longer, or does not let us.
 */
export async function countAhead(database: Database, place: PlaceAhead): Promise<number | null> {
  if ((await findPooler(database)) === 'transaction') return null;
  const client = await openConnection(database);
  try {
    const slot = await findSlot(client, database.address.schema, place.source);
    if (slot === null) return null;
    await client.query(
      `SET idle_session_timeout = ${IDLE_TIMEOUT_MS}; SET statement_timeout = ${place.withinMs}`,
    );
    return await countInCopy(client, slot, place);
  } catch (error) {
    // A timeout, missing rights, no slot left, removed segments: for a number to look at, none of these is a failure.
    if (sqlState(error) !== null) return null;
    throw toBackupError(error, database.address.shown);
  } finally {
    if (database.owned.has(client)) await endConnection(database, client);
    else dropConnection(database, client);
  }
}

/** The name of the slot; null when the server is not where the log is of, or the slot is not one to decode quickly. */
async function findSlot(client: pg.Client, schema: string, source: FeedSource): Promise<string | null> {
  const table = await findTable(client, schema, EVENTS.name);
  if (table === null || table.oid !== source.relation) return null;
  const cursor = await readCursor(client, table.oid);
  const isHere =
    cursor.role === 'primary' &&
    cursor.systemIdentifier === source.systemIdentifier &&
    cursor.timeline === source.timeline &&
    cursor.database === source.database;
  if (!isHere) return null;
  const name = feedName(source.database, schema);
  const slot = await readSlot(client, name);
  if (slot?.retained == null || slot.restart === null || BigInt(slot.retained) > MAX_DECODED_BYTES)
    return null;
  return (await readPublication(client, { name, relation: table.oid })) === 'right' ? name : null;
}

const BEGIN = 0x42;
const INSERT = 0x49;
const UPDATE = 0x55;

/**
 * The publication has the events table alone. All messages of a transaction come with its number, and its first one says where its
 * commit stands; a new row of an update is an event of the log too.
 */
async function countInCopy(client: pg.Client, slot: string, { from }: PlaceAhead): Promise<number> {
  const [name, copy] = [slot, `${slot}_${randomBytes(6).toString('hex')}`].map((text) =>
    pg.escapeLiteral(text),
  );
  await client.query(`SELECT pg_copy_logical_replication_slot(${name}, ${copy}, true)`);
  const position = `'\\x${from.toString(16).padStart(16, '0')}'::bytea`;
  const { rows } = await client.query<{ events: string }>(`
    SELECT coalesce(sum(events), 0)::text AS events
      FROM (SELECT count(*) FILTER (WHERE get_byte(data, 0) IN (${INSERT}, ${UPDATE})) AS events,
                   bool_or(get_byte(data, 0) = ${BEGIN} AND substring(data FROM 2 FOR 8) >= ${position}) AS ahead
              FROM pg_logical_slot_peek_binary_changes(${copy}, NULL, NULL, 'proto_version', '1',
                     'publication_names', ${name}, 'binary', 'true')
             GROUP BY xid) AS transactions
     WHERE ahead`);
  return Number(rows[0]!.events);
}
