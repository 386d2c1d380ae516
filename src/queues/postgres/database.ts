import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Db as BossDatabase } from 'pg-boss';
import { atMost } from '../../core/concurrency.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { type PostgresUri, readPostgresUri, redactPostgresAddress } from '../../core/postgres-address.ts';
import { connectPostgres } from '../../postgres/connect.ts';
import { sayGoodbye } from '../../postgres/goodbye.ts';
import { type ConnectionPool, makePool } from '../../postgres/pool.ts';

/** The database of a queue, reached as everything of PostgreSQL is here. */
export interface QueueDatabase extends BossDatabase {
  readonly shown: string;
  readonly schema: string;
  executeSql(text: string, values?: unknown[]): Promise<Rows>;
  /** While nobody else, on whatever machine, executes one of the same `turn`. It sees what the one before it wrote. */
  executeInTurn(turn: string, text: string, values?: unknown[]): Promise<Rows>;
  listen(channel: string, onNotification: (payload: string) => void, onReconnect: () => void): Promise<Ear>;
  close(): Promise<void>;
}

export interface Rows {
  rows: Record<string, unknown>[];
}

export interface Ear {
  close(): Promise<void>;
}

const DEFAULT_SCHEMA = 'eventcore_queue';
const CONNECT_TIMEOUT_MS = 10_000;
/** A server that restarts is back within this; what would be sent waits, what was sent is not sent again. */
const RECONNECT_MS = 20_000;
const LISTEN_AGAIN_MS = 1000;
/**
 * No statement of a queue takes long. Behind a network that says nothing any more an answer would be waited for until the system gives up,
 * a quarter of an hour; and a worker must be heard again before it is taken for dead.
 */
const ANSWER_MS = 10_000;
const TURN_MS = 3000;

/** Reads the address, `?schema=` included; nothing is connected yet, and never more than so many at once beside those that listen. Throws `usage`. */
export function openQueueDatabase(address: string, connections: number): QueueDatabase {
  const uri = readPostgresUri(address);
  const shown = redactPostgresAddress(address);
  const schema = uri.parameters.get('schema') ?? DEFAULT_SCHEMA;
  if (!/^[a-z_][a-z0-9_]{0,47}$/.test(schema)) {
    throw new BackupError('usage', `the queue cannot be in the schema ${JSON.stringify(schema)}`, {
      hint: 'a schema of a queue has small letters, digits and underscores, at most 48',
    });
  }
  const place: Place = { uri, shown, wasThere: false };
  const pool = makePool(connections, () => connectPatiently(place));
  const ears = new Set<Ear>();
  return {
    ...{ shown, schema },
    executeSql: (text, values) => withClient(pool, shown, (client) => query(client, text, values)),
    // One connection of the pool waits; what others need of it goes on.
    executeInTurn: atMost(1, (turn: string, text: string, values?: unknown[]) =>
      withClient(pool, shown, (client) => queryInTurn(client, turn, text, values)),
    ),
    listen: async (channel, onNotification, onReconnect) => {
      const ear = await listen(place, channel, { onNotification, onReconnect });
      ears.add(ear);
      return { close: () => ear.close().finally(() => ears.delete(ear)) };
    },
    close: async () => {
      await Promise.all([...ears].map((ear) => ear.close()));
      await pool.end();
    },
  };
}

interface Place {
  readonly uri: PostgresUri;
  readonly shown: string;
  /** Somebody has been connected: what is away now may come back. */
  wasThere: boolean;
}

async function withClient(
  pool: ConnectionPool,
  shown: string,
  use: (client: pg.Client) => Promise<Rows>,
): Promise<Rows> {
  const client = await pool.take().catch((error) => {
    throw explain(shown, error);
  });
  let isUsable = false;
  try {
    const result = await use(client);
    isUsable = true;
    return result;
  } catch (error) {
    isUsable = error instanceof pg.DatabaseError && (await isOutside(client));
    throw explain(shown, error);
  } finally {
    pool.give(client, isUsable);
  }
}

/**
 * Whether a refused statement left no transaction open. A server tells an error before it says that it is ready, and in what state: until
 * something else was answered the client knows that of the statement before (https://www.postgresql.org/docs/current/protocol-flow.html).
 */
async function isOutside(client: pg.Client): Promise<boolean> {
  return client.query('').then(
    () => client.getTransactionStatus() === 'I',
    () => false,
  );
}

/** Several statements in one text are only taken without parameters; of those pg-boss wants all results, as its own pool gives them. */
function query(client: pg.Client, text: string, values: unknown[] = []): Promise<Rows> {
  return values.length === 0 ? client.query(text) : client.query(text, values);
}

/** A statement sees what was committed when it began: the lock must be there before. Who falls silent with it gives it up. */
async function queryInTurn(client: pg.Client, turn: string, text: string, values?: unknown[]): Promise<Rows> {
  await client.query(`BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${TURN_MS};
    SELECT pg_advisory_xact_lock(hashtext(${pg.escapeLiteral(turn)}))`);
  const result = await query(client, text, values);
  await client.query('COMMIT');
  return result;
}

async function connectPatiently(place: Place): Promise<pg.Client> {
  const until = performance.now() + RECONNECT_MS;
  for (let wait = 100; ; wait = Math.min(2 * wait, 2000)) {
    try {
      return await connect(place);
    } catch (error) {
      const mayComeBack = place.wasThere && isBackupError(error, 'queue_unreachable');
      if (!mayComeBack || performance.now() + wait > until) throw error;
      await sleep(wait);
    }
  }
}

async function connect(place: Place): Promise<pg.Client> {
  const { uri, shown } = place;
  const { client } = await connectPostgres(uri, {
    program: 'eventcore-queue',
    session: { query_timeout: ANSWER_MS },
    ...{ shown, timeoutMs: CONNECT_TIMEOUT_MS, explain: (error) => explain(shown, error) },
  }).catch((error) => {
    throw explain(shown, error);
  });
  place.wasThere = true;
  return client;
}

/** A connection that hears a channel, and comes again when it is lost. */
async function listen(
  place: Place,
  channel: string,
  { onNotification, onReconnect }: { onNotification: (payload: string) => void; onReconnect: () => void },
): Promise<Ear> {
  let isClosed = false;
  let current: pg.Client | null = null;
  const begin = async (): Promise<void> => {
    const client = await connect(place);
    client.on('notification', (message) => onNotification(message.payload ?? ''));
    try {
      await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      await sayGoodbye(client);
      throw explain(place.shown, error);
    }
    if (isClosed) return sayGoodbye(client);
    client.once('end', () => void (isClosed || again()));
    current = client;
  };
  const again = async (): Promise<void> => {
    current = null;
    while (!isClosed) {
      await sleep(LISTEN_AGAIN_MS, undefined, { ref: false });
      const isBack =
        !isClosed &&
        (await begin().then(
          () => true,
          () => false,
        ));
      if (isBack) return onReconnect();
    }
  };
  await begin();
  return {
    close: async () => {
      isClosed = true;
      if (current !== null) await sayGoodbye(current);
    },
  };
}

/** In the words of queues: who reads them must not look at the store. */
function explain(shown: string, error: unknown): BackupError {
  if (isBackupError(error, 'queue_unreachable', 'queue_refused', 'usage')) return error;
  const said = error instanceof Error ? error.message : String(error);
  const message = said === 'Query read timeout' ? `no answer within ${ANSWER_MS / 1000} s` : said;
  const text = message.startsWith(shown) ? message : `${shown}: ${message}`;
  const isRefused =
    (error instanceof pg.DatabaseError && !/^(08|53|57|40|55)/.test(error.code ?? '')) ||
    isBackupError(error, 'store_refused', 'store_unsupported', 'not_an_event_store');
  return isRefused
    ? new BackupError('queue_refused', text, {
        hint: 'the queue needs a database, and a role that may create a schema in it or owns it (docs/workers.md)',
        cause: error,
      })
    : new BackupError('queue_unreachable', text, {
        hint: 'look at the server of the queue; --no-queue works on this machine alone',
        cause: error,
      });
}
