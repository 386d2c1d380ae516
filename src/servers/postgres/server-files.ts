import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import { askRow } from './connection.ts';
import { sqlState } from './server-error.ts';
import { quoteWord } from './shell.ts';

/** A file of the server, one character for each byte; empty where there is none. */
export async function readServerFile(client: pg.Client, path: string): Promise<string> {
  const sql = 'SELECT pg_read_binary_file($1, 0, $2, true) AS bytes';
  const { bytes } = await askRow<{ bytes: Buffer | null }>(client, sql, [path, MOST_BYTES]);
  return bytes === null ? '' : bytes.toString('latin1');
}

const MOST_BYTES = 16 << 20;

/**
 * Writes a file of the server and reads it back. Where this role may run programs there, a new file takes the place of the old one: who
 * starts the server never finds a part of it. Else it is written in place, by what the rights allow. COPY needs nothing that is written
 * anywhere else, so it also works on a standby and on a full disk; it ends the last line where the text does not.
 */
export async function writeServerFile(client: pg.Client, path: string, text: string): Promise<void> {
  const failures: unknown[] = [];
  for (const write of [writeByProgram, writeByLargeObject, writeByCopy]) {
    try {
      await write(client, path, text);
      const found = await readServerFile(client, path);
      if (found === text || found === `${text}\n`) return;
    } catch (error) {
      if (sqlState(error) === null) throw error;
      failures.push(error);
    }
  }
  throw (
    failures.at(-1) ??
    new BackupError('fence_failed', `${path} does not hold what was written to it`, {
      hint: 'see whether the disk of the server is full, and whether somebody else writes this file',
    })
  );
}

/** A program that hears the end of its input early, since the server died, must not take that for the whole. */
async function writeByProgram(client: pg.Client, path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text, 'latin1');
  const script = [
    `file=$(readlink -f ${quoteWord(path)})`,
    'new="$file.eventcore-new"',
    'umask 077',
    'base64 -d >"$new"',
    `[ "$(wc -c <"$new" | tr -d ' ')" = ${bytes.length} ]`,
    '{ chmod --reference="$file" "$new" 2>/dev/null || true; }',
    // So that it outlives a loss of power as well.
    '{ sync "$new" 2>/dev/null || true; }',
    'mv -f "$new" "$file"',
    '{ sync "$(dirname "$file")" 2>/dev/null || true; }',
  ].join(' && ');
  const lines = bytes.toString('base64').replace(/(.{76})/g, '$1\n');
  const rows = `SELECT line FROM string_to_table(${pg.escapeLiteral(lines)}, E'\\n') AS line`;
  await client.query(`COPY (${rows}) TO PROGRAM ${pg.escapeLiteral(script)}`);
}

/** Rolled back once the file is written, it leaves nothing and waits for no standby. */
async function writeByLargeObject(client: pg.Client, path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text, 'latin1');
  await client.query('BEGIN');
  try {
    // It is only seen by the next statement.
    const { oid } = await askRow<{ oid: number }>(client, 'SELECT lo_from_bytea(0, $1) AS oid', [bytes]);
    await client.query('SELECT lo_export($1, $2)', [oid, path]);
  } finally {
    await client.query('ROLLBACK');
  }
}

/** With characters for quotes and ends of fields that no such text holds, a row is written as it is. */
async function writeByCopy(client: pg.Client, path: string, text: string): Promise<void> {
  const lines = pg.escapeLiteral(text.replace(/\n$/, ''));
  const rows =
    text === '' ? 'SELECT 1 WHERE false' : `SELECT line FROM string_to_table(${lines}, E'\\n') AS line`;
  const form = `FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02', NULL E'\\x03', ENCODING 'LATIN1'`;
  await client.query(`COPY (${rows}) TO ${pg.escapeLiteral(path)} WITH (${form})`);
}
