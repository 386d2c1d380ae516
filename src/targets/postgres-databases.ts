import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { DrillTarget, DrillTargets, GuardOutcome, ProtectedStore } from '../core/drill-target.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import {
  addressForOthers,
  readPostgresUri,
  redactPostgresAddress,
  withDatabase,
} from '../core/postgres-address.ts';
import { connectPostgres } from '../postgres/connect.ts';
import { sayGoodbye } from '../postgres/goodbye.ts';
import { EVENTS } from '../stores/layouts/eventcore-postgres.ts';

export interface PostgresDatabasesOptions {
  /** Of any database on the server from which others may be made; may hold a password. */
  readonly address: string;
  readonly openStore: (address: string) => Promise<EventStore>;
}

const DRILL_DATABASE = /^eventcore_drill_[0-9a-f]{16}$/;
/** Of the two numbers of the advisory lock that says that a database is in use, the first. */
const LOCK_CLASS = 0x45434452;
const CONNECT_TIMEOUT_MS = 15_000;

/**
 * Each a database of its own on a server that is there. One connection holds an advisory lock for each: the server lets go of it when
 * this process is gone, however that came about.
 */
export function postgresDatabaseTargets({ address, openStore }: PostgresDatabasesOptions): DrillTargets {
  const open = new Set<DrillTarget>();
  let connection: Promise<pg.Client> | null = null;
  const server: Server = async () => {
    connection ??= connect(address, () => {
      connection = null;
    });
    return connection;
  };
  return {
    kind: 'a database of PostgreSQL',
    refuseStore: async (store) => refuseSame(await server(), address, store),
    removeLeftovers: async () => dropDead(await server()),
    freeBytes: async () => null,
    create: async () => {
      const target = await createDatabase(server, address, openStore, () => open.delete(target));
      open.add(target);
      return target;
    },
    close: async () => {
      for (const target of [...open]) await target.remove();
      await (await connection)?.end().catch(() => undefined);
      connection = null;
    },
  };
}

/** The connection that holds the locks; another one where that was lost. */
type Server = () => Promise<pg.Client>;

export async function connect(address: string, onEnd: () => void = () => {}): Promise<pg.Client> {
  const explain = (error: unknown): BackupError => refusedBy(error, 'the server for drills cannot be used');
  const { client } = await connectPostgres(readPostgresUri(address), {
    program: 'eventcore-drill',
    ...{ explain, shown: redactPostgresAddress(address), timeoutMs: CONNECT_TIMEOUT_MS },
  });
  client.once('end', onEnd);
  try {
    await client.query('SET statement_timeout = 0');
    return client;
  } catch (error) {
    throw explain(error);
  }
}

/** The address of another database on the same server, without what only a store's address has. */
export function databaseAddress(address: string, database: string | null): string {
  const others = addressForOthers(address);
  return database === null ? others : withDatabase(others, database);
}

async function refuseSame(client: pg.Client, address: string, store: ProtectedStore): Promise<void> {
  if (store.systemIdentifier === null) return;
  const { rows } = await client
    .query<{ system: string; database: string }>(
      `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system, oid::text AS database
         FROM pg_database WHERE datname = current_database()`,
    )
    .catch((error) => {
      // Some providers keep it from everybody. A drill makes a database of its own in any case.
      if (error instanceof pg.DatabaseError && error.code === '42501') return { rows: [] };
      throw refusedBy(error, 'the server for drills does not say which it is');
    });
  const { system, database } = rows[0] ?? { system: null, database: null };
  if (system !== store.systemIdentifier || database !== store.database) return;
  throw new BackupError(
    'store_refused',
    `${redactPostgresAddress(address)} is the store itself, by another name`,
    {
      hint: 'name another database of the server, as /postgres: a drill makes one of its own beside it',
    },
  );
}

async function createDatabase(
  server: Server,
  address: string,
  openStore: PostgresDatabasesOptions['openStore'],
  onGone: () => void,
): Promise<DrillTarget> {
  const id = randomBytes(8).toString('hex');
  const name = `eventcore_drill_${id}`;
  try {
    const client = await server();
    // Before there is a database: one without a lock is a dead one's.
    await client.query('SELECT pg_advisory_lock($1, $2)', [LOCK_CLASS, lockNumber(name)]);
    await client.query(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`);
  } catch (error) {
    throw refusedBy(error, 'no database for the drill can be made');
  }
  const own = databaseAddress(address, name);
  const store = await openStore(own);
  let keptAs: string | null = null;
  const drop = async (): Promise<void> => {
    await store.close();
    const client = await server();
    if (keptAs === null) await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await client.query('SELECT pg_advisory_unlock($1, $2)', [LOCK_CLASS, lockNumber(name)]);
    onGone();
  };
  return {
    ...{ address: own, store },
    tryGuards: (streamId) => tryGuards(own, streamId),
    keep: async () => {
      await store.close();
      const kept = `eventcore_kept_drill_${id}`;
      await (await server()).query(`ALTER DATABASE ${name} RENAME TO ${kept}`);
      keptAs = kept;
      onGone();
      return `the database ${kept}`;
    },
    remove: drop,
  };
}

function lockNumber(name: string): number {
  return Number.parseInt(name.slice(-8), 16) | 0;
}

/** Those whose lock nobody holds. */
async function dropDead(client: pg.Client): Promise<string[]> {
  const removed: string[] = [];
  const { rows } = await client.query<{ name: string }>(
    `SELECT datname AS name FROM pg_database WHERE datname LIKE 'eventcore\\_drill\\_%' AND NOT datistemplate`,
  );
  for (const { name } of rows.filter((row) => DRILL_DATABASE.test(row.name))) {
    const { rowCount } = await client.query(
      `SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::oid AND objid = $2::oid AND granted`,
      [LOCK_CLASS, lockNumber(name) >>> 0],
    );
    if (rowCount !== 0) continue;
    try {
      await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      removed.push(`the database ${name}`);
    } catch (error) {
      // Of another role, or another run was quicker.
      if (!(error instanceof pg.DatabaseError)) throw error;
    }
  }
  return removed;
}

const ATTEMPTS = [
  ['UPDATE', `UPDATE public.${EVENTS.name} SET event_type = event_type || '!' WHERE stream_id = $1`],
  ['DELETE', `DELETE FROM public.${EVENTS.name} WHERE stream_id = $1`],
] as const;

async function tryGuards(address: string, streamId: string): Promise<GuardOutcome[]> {
  const client = await connect(address);
  try {
    const outcomes: GuardOutcome[] = [];
    for (const [statement, sql] of ATTEMPTS) {
      await client.query('BEGIN');
      outcomes.push({ statement, outcome: await attempt(client, sql, streamId) });
      await client.query('ROLLBACK');
    }
    return outcomes;
  } finally {
    await sayGoodbye(client);
  }
}

/** Refused by a trigger, and not for another reason: that is raised by a function, of class P0. */
async function attempt(client: pg.Client, sql: string, streamId: string): Promise<GuardOutcome['outcome']> {
  try {
    await client.query(sql, [streamId]);
    return 'done';
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code?.startsWith('P0') === true) return 'refused';
    throw refusedBy(error, 'the guards cannot be tried');
  }
}

export function refusedBy(error: unknown, what: string): BackupError {
  if (isBackupError(error)) return error;
  const isServers = error instanceof pg.DatabaseError;
  const message = error instanceof Error && error.message !== '' ? error.message : 'it cannot be reached';
  const isRight = isServers && error.code === '42501';
  return new BackupError(isServers ? 'store_refused' : 'store_unreachable', `${what}: ${message}`, {
    hint: isRight
      ? 'give the role the right to make databases (ALTER ROLE … CREATEDB), or name another target'
      : 'check the address of the target (drill.target, --target)',
    cause: error,
  });
}
