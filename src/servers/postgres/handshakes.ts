import type pg from 'pg';
import { sqlState } from './server-error.ts';

/**
 * Processes of the server that wait for the first word of a client. They were made with the rules of that moment, keep them, and are seen
 * by no view: a client whose packets were held up by a cut network gets in by rules that are gone. They bear the name of the server's
 * first process until they know whom they serve. Null where they cannot be seen: not on Linux, or without the right to read files.
 */
export async function listHandshakes(client: pg.Client): Promise<readonly number[] | null> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    try {
      const { rows } = await client.query<{ pid: number }>(HANDSHAKES);
      return rows.map(({ pid }) => pid);
    } catch (error) {
      // No such folder, no right to look; or somebody ended while being looked at.
      if (sqlState(error) === null) throw error;
    }
  }
  return null;
}

const ATTEMPTS = 3;

const HANDSHAKES = `
  WITH main AS MATERIALIZED (SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1) AS pid),
       children AS MATERIALIZED (
         SELECT name AS pid FROM pg_ls_dir('/proc') AS name, main
          WHERE name ~ '^[0-9]+$' AND name <> main.pid
            AND split_part(regexp_replace(pg_read_file('/proc/' || name || '/stat', 0, 4096, true), '^.*\\) ', ''), ' ', 2) = main.pid)
  SELECT children.pid::int AS pid FROM children, main
   WHERE pg_read_binary_file('/proc/' || children.pid || '/cmdline', 0, 4096, true)
       = pg_read_binary_file('/proc/' || main.pid || '/cmdline', 0, 4096, true)`;
