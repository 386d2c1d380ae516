import type { BackupError } from '../../core/errors.ts';
import { readPostgresUri, redactPostgresAddress } from '../../core/postgres-address.ts';
import { connectPostgres } from '../../postgres/connect.ts';
import { sayGoodbye } from '../../postgres/goodbye.ts';
import { toServerError } from './server-error.ts';

/** What a server tells of a database that one can connect to. */
export interface ListedDatabase {
  readonly name: string;
  /** What `ALTER DATABASE … SET` made of the setting for all roles; null: nothing. */
  readonly setting: string | null;
}

const CONNECT_TIMEOUT_MS = 15_000;
const STATEMENT_TIMEOUT_MS = 15_000;

/** Of all databases but templates, whoever may connect to one of them may read this. */
const DATABASES = `
  SELECT d.datname AS name, substr(s.setting, length($1) + 2) AS setting
    FROM pg_catalog.pg_database d
    LEFT JOIN LATERAL (
      SELECT one AS setting
        FROM pg_catalog.pg_db_role_setting r, unnest(r.setconfig) AS one
       WHERE r.setdatabase = d.oid AND r.setrole = 0 AND starts_with(one, $1 || '=')
    ) s ON true
   WHERE d.datallowconn AND NOT d.datistemplate
   ORDER BY d.datname`;

/**
 * The databases of a server, each with a setting that is its own. Throws `store_unreachable` and `store_refused`, also where the server
 * answers too late.
 */
export async function listDatabases(
  address: string,
  setting: string,
  signal: AbortSignal,
): Promise<ListedDatabase[]> {
  const shown = redactPostgresAddress(address);
  const explain = (error: unknown): BackupError => toServerError(error, shown);
  const { client } = await connectPostgres(readPostgresUri(address), {
    ...{ signal, explain, shown, program: 'eventcore-fleet', timeoutMs: CONNECT_TIMEOUT_MS },
    // The server's own limit says more; the other one is for a network that says nothing.
    session: { statement_timeout: STATEMENT_TIMEOUT_MS, query_timeout: STATEMENT_TIMEOUT_MS + 5000 },
  });
  try {
    const { rows } = await client.query<ListedDatabase>(DATABASES, [setting]);
    return rows;
  } catch (error) {
    throw explain(error);
  } finally {
    void sayGoodbye(client);
  }
}
