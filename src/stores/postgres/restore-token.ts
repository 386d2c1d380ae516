import { BackupError } from '../../core/errors.ts';
import type { Place } from '../../postgres/settings.ts';
import type { Database } from './connection.ts';

/** The name of the schema; and where the address has several servers, that of the one which has it. */
export function formatToken({ at }: Database, schema: string): string {
  return at === null ? schema : JSON.stringify({ schema, at });
}

/** Leads what is connected from now on to where the restore is, and gives the name of its schema. Throws `usage`. */
export function enterRestore(database: Database, token: string): string {
  const { schema, at } = parseToken(token);
  database.at ??= at;
  return schema;
}

function parseToken(token: string): { readonly schema: string; readonly at: Place | null } {
  try {
    const { schema = '', at = null } = token.startsWith('{')
      ? (JSON.parse(token) as { schema?: string; at?: Place })
      : { schema: token };
    if (/^[0-9A-Za-z_]+$/.test(schema)) return { schema, at };
  } catch {
    // Said below.
  }
  throw new BackupError('usage', `${JSON.stringify(token)} is no restore of a PostgreSQL store`);
}
