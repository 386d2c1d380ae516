import { rm } from 'node:fs/promises';
import { sayGoodbye } from '../postgres/goodbye.ts';
import { connect, databaseAddress, refusedBy } from './postgres-databases.ts';

/** An empty place for a restore that somebody asked for, which stays. */
export interface NewStore {
  /** Takes it away again: nothing was restored into it. */
  discard(): Promise<void>;
}

/** SQLite makes the file by itself. */
export function newSqliteStore(path: string): NewStore {
  return {
    discard: async () => {
      for (const end of ['', '-wal', '-shm', '-journal']) await rm(`${path}${end}`, { force: true });
    },
  };
}

/**
 * Makes a database on a server, of which `server` is the address of any other. Throws `store_unreachable` or `store_refused`, also where there
 * is one of that name.
 */
export async function newPostgresStore(server: string, name: string): Promise<NewStore> {
  // A name in SQL; it is one of ours.
  if (!/^[a-z0-9_]{1,63}$/.test(name)) throw new Error(`${name} is no name for a new database`);
  await onServer(server, `CREATE DATABASE "${name}" TEMPLATE template0 ENCODING 'UTF8'`);
  return { discard: () => onServer(server, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`) };
}

async function onServer(server: string, sql: string): Promise<void> {
  const client = await connect(databaseAddress(server, null));
  try {
    await client.query(sql);
  } catch (error) {
    throw refusedBy(error, 'no database can be made or dropped there');
  } finally {
    await sayGoodbye(client);
  }
}
