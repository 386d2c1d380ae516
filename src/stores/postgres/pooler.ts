import pg from 'pg';
import { BackupError } from '../../core/errors.ts';

/**
 * A connection pooler between us and the server (PgBouncer and its like). In session mode a client has a process of the server for itself as
 * long as it is connected; in transaction mode, as long as a transaction lasts: what it sets for its session would be a stranger's next. What
 * only reads sets everything for the transaction alone, and so works in both; all else needs a session.
 */
interface Pooled {
  readonly serverVersion: number;
}

const pooled = new WeakMap<pg.Client, Pooled>();

export function isPooled(client: pg.Client): boolean {
  return pooled.has(client);
}

export function notePooler(client: pg.Client, serverVersion: number): void {
  pooled.set(client, { serverVersion });
}

/** The number of the server's process, which may be another one after each transaction. */
export async function serverProcess(client: pg.Client): Promise<number> {
  return (await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid')).rows[0]!.pid;
}

/** Not for a transaction. */
const OF_SESSIONS = ['idle_session_timeout', 'default_transaction_isolation'];
const SINCE: Readonly<Record<string, number>> = { transaction_timeout: 170_000 };

/**
 * Begins a transaction in which the settings hold also where the session is not ours. They are made without a query, so that a snapshot
 * may still be chosen.
 */
export async function begin(
  client: pg.Client,
  sql: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const known = pooled.get(client);
  if (known === undefined) return void (await client.query(sql));
  const set = Object.entries(settings)
    .filter(([name]) => !OF_SESSIONS.includes(name) && known.serverVersion >= (SINCE[name] ?? 0))
    .map(([name, value]) => `SET LOCAL ${name} = ${pg.escapeLiteral(value)}`);
  await client.query([sql, ...set].join('; '));
}

const TRIES = 3;

/**
 * Whether the pooler keeps a process of the server for this client: then nobody else is given the same. `openOther` makes further
 * connections. What is found to be no session is none; what is taken for one could be chance, three times in a row, in a pool that others
 * use heavily.
 */
export async function holdsSession(client: pg.Client, openOther: () => Promise<pg.Client>): Promise<boolean> {
  for (let i = 0; i < TRIES; i += 1) {
    const before = await serverProcess(client);
    const other = await openOther();
    try {
      await other.query('BEGIN');
      if ((await serverProcess(other)) === before || (await serverProcess(client)) !== before) return false;
    } finally {
      await other.query('ROLLBACK').catch(() => undefined);
      await other.end().catch(() => undefined);
    }
  }
  return true;
}

export const DIRECT_HINT =
  'connect to the server itself, or through a pool with pool_mode=session (docs/connections.md)';

export function needsSession(shown: string): BackupError {
  const what =
    'a connection pooler in transaction mode stands before the server, and this needs a session of its own';
  return new BackupError('store_refused', `${shown}: ${what}`, {
    hint: DIRECT_HINT,
    facts: { pooler: 'transaction' },
  });
}

/** What PgBouncer says where it has no SQLSTATE of its own for it; null for anything else. */
export function poolerRefusal(
  message: string,
): { readonly code: 'store_refused' | 'store_unreachable'; readonly hint: string } | null {
  if (message.includes('in statement pooling mode')) {
    return { code: 'store_refused', hint: `a pool in statement mode knows no transactions: ${DIRECT_HINT}` };
  }
  if (/unsupported startup parameter: replication/.test(message)) {
    return {
      code: 'store_refused',
      hint: 'a pooler takes no replication connection: connect to the server itself',
    };
  }
  if (message.includes('unsupported startup parameter')) {
    return {
      code: 'store_refused',
      hint: 'add it to ignore_startup_parameters of PgBouncer, or connect to the server itself',
    };
  }
  if (message.includes('query_wait_timeout')) {
    const hint = 'all servers of the pool are in use: raise default_pool_size, or lower --parallel';
    return { code: 'store_unreachable', hint };
  }
  return null;
}
