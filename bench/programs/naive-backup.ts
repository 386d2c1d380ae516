/**
 * naive-backup.ts STORE FILE: what one writes first. A cursor, an object for each event, JSON.stringify, gzip; nothing
 * is checked, and only the events are in it.
 */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import pg from 'pg';

const ROWS_AT_ONCE = 1000;

const [store, file] = process.argv.slice(2);
if (store === undefined || file === undefined) throw new Error('usage: naive-backup.ts STORE FILE');
const client = new pg.Client({ connectionString: store });
await client.connect();
await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
await client.query('DECLARE events CURSOR FOR SELECT * FROM eventcore_events');
await pipeline(Readable.from(lines()), createGzip(), createWriteStream(file));
await client.end();

async function* lines(): AsyncGenerator<string> {
  for (;;) {
    const { rows } = await client.query<Record<string, unknown>>(`FETCH ${ROWS_AT_ONCE} FROM events`);
    if (rows.length === 0) return;
    yield rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  }
}
