import pg from 'pg';
import { isBackupError } from '../../core/errors.ts';
import type { Obstacle, StoreExamination } from '../../core/examination.ts';
import { findCompanions, qualified, requireEvents } from './catalog.ts';
import type { PostgresAddress } from './config.ts';
import { type Database, endConnection, findPooler, withClient } from './connection.ts';
import { openReplication } from './open-feed.ts';
import { isPooled, needsSession } from './pooler.ts';
import { sqlState } from './server-error.ts';
import { type FeedPlace, findPlace, publicationHint, readPublication, readSlot } from './slot.ts';
import { describeLeftovers } from './staging.ts';

export function examineStore(database: Database): Promise<StoreExamination> {
  const { schema } = database.address;
  return withClient(database, async (client) => {
    await requireEvents(client, database.address);
    const pooler = isPooled(client) ? await findPooler(database) : null;
    return {
      ...(pooler === null ? {} : { pooler }),
      clockAheadMs: await compareClocks(client),
      backupObstacles: await findBackupObstacles(client, database.address),
      feedObstacles:
        pooler === 'transaction' ? [behindPooler(database)] : await findFeedObstacles(database, client),
      leftovers: await describeLeftovers(client, schema),
    };
  });
}

/** Against the middle of the time that the question took. */
async function compareClocks(client: pg.Client): Promise<number> {
  const askedAtMs = Date.now();
  const { rows } = await client.query<{ now: string }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::text AS now',
  );
  return Math.round(Number(rows[0]!.now) - (askedAtMs + Date.now()) / 2);
}

interface TableRights {
  readonly oid: string;
  readonly readable: boolean;
  readonly hidden: boolean;
}

async function findBackupObstacles(client: pg.Client, address: PostgresAddress): Promise<Obstacle[]> {
  const { schema } = address;
  const events = await requireEvents(client, address);
  const tables = new Map([[events.oid, events.table]]);
  for (const { oid, layout } of await findCompanions(client, address)) {
    tables.set(oid, qualified(schema, layout.name));
  }
  const { rows } = await client.query<TableRights & { usable: boolean; role: string }>(
    `SELECT oid::text, has_table_privilege(oid, 'SELECT') AS readable, row_security_active(oid) AS hidden,
            has_schema_privilege(relnamespace, 'USAGE') AS usable, quote_ident(current_user) AS role
       FROM pg_class WHERE oid = ANY ($1::oid[])`,
    [[...tables.keys()]],
  );
  const { usable, role } = rows[0]!;
  const named = (matching: (rights: TableRights) => boolean): string => {
    const oids = new Set(rows.filter(matching).map(({ oid }) => oid));
    return [...tables].flatMap(([oid, table]) => (oids.has(oid) ? [table] : [])).join(', ');
  };
  const unreadable = named(({ readable }) => !readable);
  const hidden = named((rights) => rights.hidden);
  return [
    ...(usable
      ? []
      : [
          missingRight(
            `may not use schema ${schema}`,
            `USAGE ON SCHEMA ${pg.escapeIdentifier(schema)}`,
            role,
          ),
        ]),
    ...(unreadable === ''
      ? []
      : [missingRight(`may not read ${unreadable}`, `SELECT ON ${unreadable}`, role)]),
    ...(hidden === ''
      ? []
      : [
          {
            message: `row-level security hides rows of ${hidden} from role ${role}`,
            hint: `ALTER ROLE ${role} BYPASSRLS`,
          },
        ]),
  ];
}

function missingRight(message: string, right: string, role: string): Obstacle {
  return { message: `role ${role} ${message}`, hint: `GRANT ${right} TO ${role}` };
}

async function findFeedObstacles(database: Database, client: pg.Client): Promise<Obstacle[]> {
  try {
    const place = await findPlace(client, database.address);
    const ofRole = await findRoleObstacles(database, place);
    // Where nobody follows yet, one thing after the other.
    if (ofRole.length > 0 && (await readSlot(client, place.name)) === null) return ofRole;
    const others = [await findPublicationObstacles(client, place), await findSlotObstacles(client, place)];
    return [...ofRole, ...others.flat()];
  } catch (error) {
    if (!isBackupError(error, 'store_refused', 'store_unsupported')) throw error;
    return [{ message: error.message, hint: error.hint }];
  }
}

function behindPooler({ address }: Database): Obstacle {
  const { message, hint } = needsSession(address.shown);
  return { message, hint };
}

/** What a role may is best told by doing it: providers have roles of their own that allow it. */
async function findRoleObstacles(database: Database, place: FeedPlace): Promise<Obstacle[]> {
  try {
    await endConnection(database, await openReplication(database, place));
    return [];
  } catch (error) {
    if (!isBackupError(error, 'store_refused') || sqlState(error) !== '42501') throw error;
    return [{ message: error.message, hint: error.hint, isOfRole: true }];
  }
}

async function findPublicationObstacles(client: pg.Client, place: FeedPlace): Promise<Obstacle[]> {
  if ((await readPublication(client, place)) === 'right') return [];
  const { rows } = await client.query<{ allowed: boolean }>(
    `SELECT pg_has_role(relowner, 'USAGE') AND has_database_privilege(current_database(), 'CREATE') AS allowed
       FROM pg_class WHERE oid = $1::oid`,
    [place.relation],
  );
  if (rows[0]!.allowed) return [];
  const message = `role ${place.role} may not create the publication ${place.name}`;
  return [{ message, hint: publicationHint(place) }];
}

async function findSlotObstacles(client: pg.Client, { name }: FeedPlace): Promise<Obstacle[]> {
  if ((await readSlot(client, name)) !== null) return [];
  const { rows } = await client.query<{ used: number; most: number }>(
    `SELECT (SELECT count(*)::int FROM pg_replication_slots) AS used,
            current_setting('max_replication_slots')::int AS most`,
  );
  const { used, most } = rows[0]!;
  if (used < most) return [];
  const hint =
    'drop a slot that nobody uses (SELECT * FROM pg_replication_slots WHERE NOT active), or raise it and restart the server';
  return [{ message: `all ${most} replication slots are in use (max_replication_slots)`, hint }];
}
