import { dirname } from 'node:path/posix';
import type pg from 'pg';
import { askRow } from './connection.ts';
import type { HbaAdmin, HbaRule } from './hba-fence.ts';
import { logicalLine } from './hba-lines.ts';
import { readServerFile } from './server-files.ts';

/** Where the server keeps its access rules, and where the copy of them lies while a fence stands. */
export interface HbaFiles {
  readonly hba: string;
  /** In the folder of the data, which nobody but the server reads. Empty unless a fence stands or is under way. */
  readonly kept: string;
}

export async function findHbaFiles(client: pg.Client): Promise<HbaFiles> {
  const { hba, data } = await askRow<{ hba: string; data: string }>(
    client,
    "SELECT current_setting('hba_file') AS hba, current_setting('data_directory') AS data",
  );
  return { hba, kept: `${data}/pg_hba.conf.before-fence` };
}

interface RuleRow {
  readonly line_number: number;
  readonly user_name: readonly string[] | null;
  readonly error: string | null;
  /** From PostgreSQL 16 on, which knows files that include others. */
  readonly file_name?: string;
}

/** The rules that are on file now, each with its line; those with errors as well. */
export async function readRules(client: pg.Client, files: HbaFiles): Promise<HbaRule[]> {
  const { rows } = await client.query<RuleRow>('SELECT * FROM pg_hba_file_rules');
  const texts = new Map<string, string>();
  for (const { file_name: file = files.hba } of rows) {
    if (!texts.has(file)) texts.set(file, await readServerFile(client, file));
  }
  return rows.map((row) => {
    const file = row.file_name ?? files.hba;
    const line = logicalLine(texts.get(file)!, row.line_number);
    return { line, users: row.user_name ?? [], folder: dirname(file), error: row.error };
  });
}

/** What PostgreSQL finds wrong with the rules on file; null when it would load them. */
export async function findHbaError(client: pg.Client): Promise<string | null> {
  const { rows } = await client.query<{ line_number: number; error: string }>(
    'SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL LIMIT 1',
  );
  return rows.length === 0 ? null : `line ${rows[0]!.line_number}: ${rows[0]!.error}`;
}

export async function readAdmin(client: pg.Client, rules: readonly HbaRule[]): Promise<HbaAdmin> {
  const patterns = rules.flatMap(({ users, error }) => (error === null ? users : []));
  return askRow<HbaAdmin>(
    client,
    `WITH RECURSIVE groups(oid) AS (
       SELECT oid FROM pg_roles WHERE rolname = session_user
        UNION SELECT roleid FROM pg_auth_members JOIN groups ON member = groups.oid)
     SELECT session_user::text AS role,
            array(SELECT rolname::text FROM pg_roles WHERE oid IN (SELECT oid FROM groups)) AS groups,
            array(SELECT pattern FROM unnest($1::text[]) AS pattern
                   WHERE current_setting('server_version_num')::int >= 160000
                     AND CASE WHEN left(pattern, 1) = '/' THEN session_user::text ~ substr(pattern, 2) END
            ) AS patterns`,
    [patterns.filter((user) => user.startsWith('/'))],
  );
}
