import type pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import { connectPostgres } from '../../postgres/connect.ts';
import { sayGoodbye } from '../../postgres/goodbye.ts';
import type { ServerAddress } from './address.ts';
import { timedOut, toServerError } from './server-error.ts';

/** By which sessions of a recovery are known in pg_stat_activity. */
export const APPLICATION_NAME = 'eventcore-recovery';

/** More than any statement here takes; the caller's signal ends most waits long before. */
const STATEMENT_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 15_000;

/**
 * What sessions here need, whatever the server, database and role have as defaults: nothing but the catalog on the search path; no
 * commit that waits for a standby that is gone; and no read-only transactions where somebody made them the rule.
 */
const SETTINGS = {
  search_path: 'pg_catalog',
  datestyle: 'ISO',
  bytea_output: 'hex',
  synchronous_commit: 'local',
  default_transaction_read_only: 'off',
  lock_timeout: '10s',
};

const OPTIONS = Object.entries(SETTINGS)
  .map(([name, value]) => `-c ${name}=${value}`)
  .join(' ');

/**
 * Opens a connection for some work and closes it. When the signal fires it is cut in whatever state it is and the call ends at once:
 * a network that is cut says nothing, and a name may be looked up for a long time. Throws `store_unreachable` and `store_refused`.
 */
export async function withConnection<Result>(
  address: ServerAddress,
  signal: AbortSignal,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  if (signal.aborted) throw endedBy(signal, address.shown);
  const { client } = await connectPostgres(address.uri, {
    explain: (error) =>
      signal.aborted ? endedBy(signal, address.shown) : toServerError(error, address.shown),
    ...{
      signal,
      program: APPLICATION_NAME,
      shown: address.shown,
      session: SESSION,
      timeoutMs: CONNECT_TIMEOUT_MS,
      takesAny: true,
    },
  });
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const cut = (): void => {
    reject(endedBy(signal, address.shown));
    client.connection.stream.destroy();
  };
  signal.addEventListener('abort', cut, { once: true });
  if (signal.aborted) cut();
  try {
    return await Promise.race([ended, work(client)]);
  } catch (error) {
    throw toServerError(error, address.shown);
  } finally {
    signal.removeEventListener('abort', cut);
    // The answer may never come.
    void sayGoodbye(client);
  }
}

const SESSION = {
  statement_timeout: STATEMENT_TIMEOUT_MS,
  options: OPTIONS,
};

function endedBy(signal: AbortSignal, shown: string): BackupError {
  return signal.reason instanceof BackupError
    ? signal.reason
    : timedOut(shown, 'no answer came', signal.reason);
}

/** The first row of a query, for those that have one. */
export async function askRow<Row extends pg.QueryResultRow | undefined>(
  client: pg.Client,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<Row> {
  const { rows } = await client.query(sql, [...parameters]);
  return rows[0] as Row;
}
