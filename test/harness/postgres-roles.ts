import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { TestPostgres } from './postgres.ts';

/** The roles of deploy/postgres/, made on a server of a test. */

const SCRIPTS = join(import.meta.dirname, '../../deploy/postgres');

export type RoleScript =
  | 'public'
  | 'backup'
  | 'archive'
  | 'monitor'
  | 'serve'
  | 'queue'
  | 'restore'
  | 'disaster'
  | 'logins';

/** What the scripts take as settings, without `eventcore.`: `{ schema: 'emt' }`. */
type RoleSettings = Readonly<Record<string, string>>;

/** Runs each script twice: the second time it has to find all as it is to be. */
export async function makeRoles(
  server: TestPostgres,
  database: string,
  scripts: readonly RoleScript[],
  settings: RoleSettings = {},
): Promise<void> {
  const set = Object.entries(settings).map(([name, value]) => `SET eventcore.${name} = '${value}';\n`);
  for (const name of [...scripts, ...scripts]) {
    await server.exec(`${set.join('')}${readFileSync(join(SCRIPTS, `${name}.sql`), 'utf8')}`, database);
  }
}

/** What a role may not do of these statements, as `42501 permission denied …`, and `done` for what it may; nothing stays of any. */
export async function tryStatements(
  address: string,
  statements: readonly string[],
): Promise<Record<string, string>> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  const outcomes: Record<string, string> = {};
  try {
    for (const sql of statements) {
      await client.query('BEGIN');
      outcomes[sql] = await client.query(sql).then(
        () => 'done',
        (error: pg.DatabaseError) => `${error.code} ${error.message}`,
      );
      await client.query('ROLLBACK');
    }
    return outcomes;
  } finally {
    await client.end();
  }
}
