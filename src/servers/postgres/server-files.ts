import pg from 'pg';
import { askRow } from './connection.ts';
import { sqlState } from './server-error.ts';

/** A file of the server, one character for each byte; empty where there is none. */
export async function readServerFile(client: pg.Client, path: string): Promise<string> {
  const sql = 'SELECT pg_read_binary_file($1, 0, $2, true) AS bytes';
  const { bytes } = await askRow<{ bytes: Buffer | null }>(client, sql, [path, MOST_BYTES]);
  return bytes === null ? '' : bytes.toString('latin1');
}

const MOST_BYTES = 16 << 20;

/**
 * Writes a file of the server, in place. Large objects can hold any bytes, and the transaction that makes one is rolled back once the
 * file is written: it leaves nothing and waits for no standby. COPY needs nothing that is written anywhere else, so it also works on a
 * standby and on a full disk, and with the rights of pg_write_server_files alone; it ends the last line where the text does not.
 */
export async function writeServerFile(client: pg.Client, path: string, text: string): Promise<void> {
  try {
    await writeByLargeObject(client, path, Buffer.from(text, 'latin1'));
  } catch (error) {
    if (sqlState(error) === null) throw error;
    await writeByCopy(client, path, text);
  }
}

async function writeByLargeObject(client: pg.Client, path: string, bytes: Buffer): Promise<void> {
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
  const lines = text.replace(/\n$/, '');
  const rows = text === '' ? 'SELECT 1 WHERE false' : rowsOf(lines);
  const form = `FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02', NULL E'\\x03', ENCODING 'LATIN1'`;
  await client.query(`COPY (${rows}) TO ${pg.escapeLiteral(path)} WITH (${form})`);
}

/** Without an array: its longest text is the same, but each line would be quoted once more. */
function rowsOf(lines: string): string {
  return `SELECT line FROM string_to_table(${pg.escapeLiteral(lines)}, E'\\n') AS line`;
}
