import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import pg from 'pg';
import type { TestPostgres } from '../harness/postgres.ts';

/** A store of message-db, made by its own scripts and written to by its own functions. */

const SCRIPTS = path.join(
  path.dirname(createRequire(import.meta.url).resolve('@eventide/message-db/package.json')),
  'database',
);
/** As its install script goes through them; functions name one another. */
const FOLDERS = [
  'roles',
  'schema',
  'extensions',
  'tables',
  'types',
  'functions',
  'indexes',
  'views',
  'privileges',
];

export async function installMessageDb(server: TestPostgres, database: string): Promise<void> {
  for (const folder of FOLDERS) {
    for (const file of readdirSync(path.join(SCRIPTS, folder)).sort()) {
      const sql = readFileSync(path.join(SCRIPTS, folder, file), 'utf8');
      await server.exec(
        `SET check_function_bodies = off; SET search_path = message_store, public; ${sql}`,
        database,
      );
    }
  }
}

export function messageDbAddress(server: TestPostgres, database: string): string {
  return `${server.address(database)}?layout=message-db`;
}

export interface Message {
  readonly id: string;
  readonly stream: string;
  readonly type: string;
  readonly data: unknown;
  readonly metadata: unknown;
  readonly expected?: number;
}

/** One client as its users have it: with its schema on the search path. */
export async function openMessageDb(server: TestPostgres, database: string) {
  const client = new pg.Client(server.address(database));
  await client.connect();
  await client.query('SET search_path = message_store, public');
  return {
    client,
    write: async ({ id, stream, type, data, metadata, expected }: Message): Promise<bigint> => {
      const { rows } = await client.query<{ position: string }>(
        'SELECT write_message($1, $2, $3, $4, $5, $6)::text AS position',
        [id, stream, type, json(data), json(metadata), expected ?? null],
      );
      return BigInt(rows[0]!.position);
    },
    category: async (name: string, from: number): Promise<string[]> => {
      const { rows } = await client.query<{ id: string }>(
        'SELECT id::text FROM get_category_messages($1, $2, 1000000)',
        [name, from],
      );
      return rows.map(({ id }) => id);
    },
    rows: async (): Promise<unknown[]> => {
      const { rows } = await client.query(
        `SELECT global_position::text, position::text, time::text, stream_name, type, data::text, metadata::text, id::text
           FROM messages ORDER BY global_position`,
      );
      return rows;
    },
    close: () => client.end(),
  };
}

function json(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
