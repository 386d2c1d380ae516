import { createHash } from 'node:crypto';
import pg from 'pg';
import type { FeedSource, FeedState } from '../../core/change-feed.ts';
import { BackupError, type ErrorCode } from '../../core/errors.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { qualified, requireEvents, requireOwn } from './catalog.ts';
import type { PostgresAddress } from './config.ts';
import { type Database, withClient } from './connection.ts';
import { lsnNumber } from './cursor.ts';
import { feedLost } from './feed-lost.ts';
import { sqlState } from './server-error.ts';

/** Where a feed reads, and by which names the server keeps things for it. */
export interface FeedPlace {
  /** Of the publication and of the slot: slots are the whole server's, so it is made of the database and the schema. */
  readonly name: string;
  readonly schema: string;
  readonly database: string;
  readonly databaseName: string;
  readonly role: string;
  /** Oid of the events table. */
  readonly relation: string;
  /** 0: the server waits for ever. */
  readonly senderTimeoutMs: number;
}

const OLDEST_FEED_SERVER = 140_000;

/** Finds the events, and refuses a server that cannot be followed. */
export async function findPlace(client: pg.Client, address: PostgresAddress): Promise<FeedPlace> {
  const { schema } = address;
  requireOwn(address, 'its change log is not captured; incremental backups are exact');
  const { oid } = await requireEvents(client, address);
  const { rows } = await client.query<ServerFacts>(
    `SELECT current_setting('wal_level') AS level, pg_is_in_recovery() AS standby,
            current_setting('server_version_num')::int AS version,
            (SELECT setting::int FROM pg_settings WHERE name = 'wal_sender_timeout') AS timeout,
            (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
            current_database() AS "databaseName", current_user AS role,
            relkind AS kind, relpersistence AS persistence, relreplident AS identity,
            EXISTS (SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary) AS keyed
       FROM pg_class WHERE oid = $1::oid`,
    [oid],
  );
  const facts = rows[0]!;
  requireServer(facts);
  requireTable(facts, qualified(schema, EVENTS.name));
  return {
    name: feedName(facts.database, schema),
    ...{ schema, database: facts.database, databaseName: facts.databaseName, role: facts.role },
    ...{ relation: oid, senderTimeoutMs: facts.timeout },
  };
}

interface ServerFacts {
  readonly level: string;
  readonly standby: boolean;
  readonly version: number;
  readonly timeout: number;
  readonly database: string;
  readonly databaseName: string;
  readonly role: string;
  readonly kind: string;
  readonly persistence: string;
  readonly identity: string;
  readonly keyed: boolean;
}

export function feedName(database: string, schema: string): string {
  return `eventcore_${createHash('sha256').update(`${database}/${schema}`).digest('hex').slice(0, 12)}`;
}

function requireServer({ version, standby, level }: ServerFacts): void {
  if (version < OLDEST_FEED_SERVER) {
    throw new BackupError(
      'store_unsupported',
      `PostgreSQL ${Math.floor(version / 10_000)} cannot be followed`,
      {
        hint: 'PostgreSQL 14 or newer is needed for a change log; backups work with 13',
      },
    );
  }
  if (standby) {
    throw refusal('a standby cannot be followed', 'name the primary in the address');
  }
  if (level === 'logical') return;
  throw refusal(
    `wal_level is ${level}, so commits cannot be followed`,
    'ALTER SYSTEM SET wal_level = logical; then restart the server',
  );
}

function requireTable({ kind, persistence, identity, keyed }: ServerFacts, table: string): void {
  if (kind !== 'r') {
    throw new BackupError(
      'store_unsupported',
      `${table} is partitioned, which a change log does not support`,
      {
        // The server says nothing of parts that are attached with rows, taken away, or emptied by themselves: a log would miss that.
        hint: 'incremental backups are exact over partitions: take them oftener (docs/partitions-and-shards.md)',
      },
    );
  }
  if (persistence !== 'p') {
    throw refusal(`${table} is not in the server's log`, `ALTER TABLE ${table} SET LOGGED`);
  }
  if (identity === 'n' || (identity === 'd' && !keyed)) {
    // The application could no longer delete: a publication with deletes needs to say which row.
    throw refusal(
      `${table} has no replica identity`,
      `give it its primary key (event_id), and ALTER TABLE ${table} REPLICA IDENTITY DEFAULT`,
    );
  }
}

function refusal(
  message: string,
  hint: string,
  code: ErrorCode = 'store_refused',
  cause?: unknown,
): BackupError {
  return new BackupError(code, message, { hint, ...(cause === undefined ? {} : { cause }) });
}

/** Makes a publication of the events table alone, and a slot from which the feed begins. Gives where that is. */
export async function prepareFeed(client: pg.Client, place: FeedPlace): Promise<bigint> {
  const slot = await readSlot(client, place.name);
  if (slot !== null) requireOurs(slot, place);
  if (slot?.active) throw slotInUse(place.name, slot.pid);
  if ((await readPublication(client, place)) !== 'right') await createPublication(client, place);
  if (slot !== null) await dropSlot(client, place.name);
  return createSlot(client, place);
}

export async function readPublication(
  client: pg.Client,
  place: Pick<FeedPlace, 'name' | 'relation'>,
): Promise<'missing' | 'wrong' | 'right'> {
  // Filters exist from PostgreSQL 15 on.
  const { rows } = await client.query<{ right: boolean }>(
    `SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate AND NOT puballtables
            AND (SELECT count(*) = 1 AND bool_and(r.prrelid = $2::oid AND to_jsonb(r) ->> 'prqual' IS NULL
                        AND to_jsonb(r) ->> 'prattrs' IS NULL)
                   FROM pg_publication_rel r WHERE r.prpubid = p.oid) AS "right"
       FROM pg_publication p WHERE pubname = $1`,
    [place.name, place.relation],
  );
  if (rows[0] === undefined) return 'missing';
  return rows[0].right ? 'right' : 'wrong';
}

async function createPublication(client: pg.Client, place: FeedPlace): Promise<void> {
  const { name, role } = place;
  try {
    await client.query(`DROP PUBLICATION IF EXISTS ${name}`);
    await client.query(`${publicationSql(place)} WITH (publish = 'insert, update, delete, truncate')`);
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    const message = `role ${role} may not create the publication ${name}: ${(error as Error).message}`;
    throw refusal(message, publicationHint(place), 'store_refused', error);
  }
}

function publicationSql({ name, schema }: FeedPlace): string {
  return `CREATE PUBLICATION ${name} FOR TABLE ${qualified(schema, EVENTS.name)}`;
}

export function publicationHint(place: FeedPlace): string {
  const owner = `as the owner of ${qualified(place.schema, EVENTS.name)}`;
  return `${owner}, with CREATE on database ${place.databaseName}: ${publicationSql(place)}`;
}

async function createSlot(client: pg.Client, { name, role }: FeedPlace): Promise<bigint> {
  try {
    const { rows } = await client.query<{ lsn: string }>(
      `SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput')`,
      [name],
    );
    return lsnNumber(rows[0]!.lsn);
  } catch (error) {
    throw explainSlotError(error, role);
  }
}

/** Says what the administrator can do about what the server refuses a feed; what is no such refusal stays as it is. */
export function explainSlotError(error: unknown, role: string): unknown {
  const said = error instanceof Error ? error.message : String(error);
  switch (sqlState(error)) {
    case '42501':
      return refusal(said, `ALTER ROLE ${pg.escapeIdentifier(role)} REPLICATION`, 'store_refused', error);
    case '53400':
      return refusal(
        said,
        'drop a slot that nobody uses (SELECT * FROM pg_replication_slots WHERE NOT active), or raise max_replication_slots and restart the server',
        'store_refused',
        error,
      );
    case '53300':
      return refusal(
        said,
        'raise max_wal_senders (and max_connections) and restart the server',
        'store_refused',
        error,
      );
    case '55P03':
      return refusal(
        `a slot begins when every transaction that is open has ended: ${said}`,
        'find the oldest: SELECT pid, xact_start, query FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start; see also pg_prepared_xacts',
        'store_refused',
        error,
      );
    default:
      return error;
  }
}

export function slotInUse(name: string, pid: number | null, cause?: unknown): BackupError {
  return new BackupError('lease_held', `slot ${name} is read by another process`, {
    hint: `let one archiver follow a store. See who it is: SELECT * FROM pg_stat_replication WHERE pid = ${pid ?? 0}`,
    facts: { slot: name, pid },
    ...(cause === undefined ? {} : { cause }),
  });
}

interface SlotRow {
  readonly plugin: string | null;
  readonly database: string | null;
  readonly active: boolean;
  readonly pid: number | null;
  readonly restart: string | null;
  readonly confirmed: string | null;
  readonly status: string | null;
  readonly retained: string | null;
  readonly spare: string | null;
}

export async function readSlot(client: pg.Client, name: string): Promise<SlotRow | null> {
  const { rows } = await client.query<SlotRow>(
    `SELECT plugin, database, active, active_pid AS pid, restart_lsn::text AS restart,
            confirmed_flush_lsn::text AS confirmed, wal_status AS status, safe_wal_size::text AS spare,
            CASE WHEN NOT pg_is_in_recovery()
                 THEN greatest(0, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn))::text END AS retained
       FROM pg_replication_slots WHERE slot_name = $1`,
    [name],
  );
  return rows[0] ?? null;
}

function requireOurs(slot: SlotRow, { name, databaseName }: FeedPlace): void {
  if (slot.plugin === 'pgoutput' && slot.database === databaseName) return;
  throw refusal(
    `slot ${name} is one of ${slot.plugin ?? 'physical replication'} in database ${slot.database ?? '(none)'}, not ours`,
    `if nobody needs it: SELECT pg_drop_replication_slot('${name}')`,
  );
}

async function dropSlot(client: pg.Client, name: string): Promise<void> {
  try {
    await client.query('SELECT pg_drop_replication_slot($1)', [name]);
  } catch (error) {
    if (sqlState(error) === '55006') throw slotInUse(name, null, error);
    throw error;
  }
}

/** Throws `feed_lost` unless everything from `resumeAt` on can still be read here. */
export async function checkResume(
  client: pg.Client,
  place: FeedPlace,
  resumeAt: bigint,
  before: FeedSource | null,
  here: FeedSource,
): Promise<void> {
  if (before !== null) requireSameSource(before, here);
  const { name } = place;
  const slot = await readSlot(client, name);
  if (slot === null) throw feedLost('slot_missing', `slot ${name} is not there any more`, { slot: name });
  requireOurs(slot, place);
  if (slot.status === 'lost' || slot.restart === null) {
    throw feedLost('wal_lost', `the server has removed what slot ${name} had still to read`, {
      ...{ slot: name, walStatus: slot.status, setting: 'max_slot_wal_keep_size' },
    });
  }
  const confirmed = lsnNumber(slot.confirmed!);
  if (confirmed > resumeAt) {
    throw feedLost('slot_ahead', `slot ${name} was read on without the log`, {
      ...{ slot: name, confirmed: confirmed.toString(), resumeAt: resumeAt.toString() },
    });
  }
  const end = await readPosition(client);
  if (end < resumeAt) {
    throw feedLost(
      'store_rolled_back',
      'the server stands before where the log ends: an older copy of it was started',
      {
        ...{ position: end.toString(), resumeAt: resumeAt.toString() },
      },
    );
  }
  const publication = await readPublication(client, place);
  if (publication === 'right') return;
  throw feedLost('publication_changed', `publication ${name} is ${publication}`, { publication: name });
}

const PLACES = [
  ['systemIdentifier', 'other_system', 'system'],
  ['timeline', 'other_timeline', 'timeline'],
  ['database', 'other_database', 'database'],
  ['relation', 'other_table', 'events table'],
] as const;

function requireSameSource(before: FeedSource, here: FeedSource): void {
  if (before.kind !== here.kind) throw feedLost('other_system', `the log is one of a ${before.kind} store`);
  for (const [field, reason, what] of PLACES) {
    if (before[field] === here[field]) continue;
    throw feedLost(
      reason,
      `the store is on another ${what} than the log: ${here[field]}, not ${before[field]}`,
      {
        ...{ log: before[field], store: here[field] },
      },
    );
  }
}

async function readPosition(client: pg.Client): Promise<bigint> {
  const { rows } = await client.query<{ lsn: string }>(
    `SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END::text AS lsn`,
  );
  return lsnNumber(rows[0]!.lsn);
}

/** When the server last heard of who reads the slot; null when nobody does, or a role may not know. */
export async function readReplyTime(client: pg.Client, name: string): Promise<string | null> {
  const { rows } = await client.query<{ time: string | null }>(
    `SELECT reply_time::text AS time FROM pg_stat_replication
      WHERE pid = (SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1)`,
    [name],
  );
  return rows[0]?.time ?? null;
}

export async function isSlotActive(client: pg.Client, name: string): Promise<boolean> {
  return (await readSlot(client, name))?.active === true;
}

/** What the server keeps for the feed; null when there is no slot. */
export function readFeedState(database: Database): Promise<FeedState | null> {
  return withClient(database, async (client) => {
    const slot = await readSlot(client, await nameHere(client, database));
    if (slot === null) return null;
    const isLost = slot.status === 'lost' || slot.restart === null;
    return {
      position: await readPosition(client),
      acknowledged: isLost || slot.confirmed === null ? null : lsnNumber(slot.confirmed),
      retainedBytes: slot.retained === null ? null : Number(slot.retained),
      spareBytes: isLost ? 0 : slot.spare === null ? null : Number(slot.spare),
      isRead: slot.active,
    };
  });
}

/** Removes slot and publication. Works without the events table, which may be gone. */
export function dropFeed(database: Database): Promise<void> {
  return withClient(database, async (client) => {
    const name = await nameHere(client, database);
    const slot = await readSlot(client, name);
    if (slot?.active) throw slotInUse(name, slot.pid);
    if (slot !== null) await dropSlot(client, name);
    try {
      await client.query(`DROP PUBLICATION IF EXISTS ${name}`);
    } catch (error) {
      if (sqlState(error) !== '42501') throw error;
      throw refusal(
        `the slot is gone; the publication belongs to another role: ${(error as Error).message}`,
        `it costs nothing; its owner may DROP PUBLICATION ${name}`,
        'store_refused',
        error,
      );
    }
  });
}

async function nameHere(client: pg.Client, { address }: Database): Promise<string> {
  const { rows } = await client.query<{ oid: string }>(
    'SELECT oid::text FROM pg_database WHERE datname = current_database()',
  );
  return feedName(rows[0]!.oid, address.schema);
}
