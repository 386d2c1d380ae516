import type { StoreDescription } from '../../core/event-store.ts';
import { EVENTS, LAYOUT_NAME, VERSION_BASE } from '../layouts/eventcore-postgres.ts';
import { findEvents, qualified } from './catalog.ts';
import { type Database, withClient } from './connection.ts';
import { isMissingDatabase } from './server-error.ts';

const ABOUT = { kind: 'postgres', layout: LAYOUT_NAME, versionBase: VERSION_BASE } as const;

/** A server says its version only to who names a database that exists. */
const UNKNOWN_VERSION = 'unknown';

export async function inspectStore(database: Database): Promise<StoreDescription> {
  try {
    return await withClient(database, async (client) => {
      const { rows } = await client.query<{ version: string }>(
        `SELECT split_part(current_setting('server_version'), ' ', 1) AS version`,
      );
      const serverVersion = rows[0]!.version;
      const { schema } = database.address;
      if ((await findEvents(client, schema)) === null) return { ...ABOUT, serverVersion, state: 'missing' };
      const found = await client.query<{ filled: boolean }>(
        `SELECT EXISTS (SELECT FROM ${qualified(schema, EVENTS.name)}) AS filled`,
      );
      return { ...ABOUT, serverVersion, state: found.rows[0]!.filled ? 'filled' : 'empty' };
    });
  } catch (error) {
    if (!isMissingDatabase(error)) throw error;
    return { ...ABOUT, serverVersion: UNKNOWN_VERSION, state: 'missing' };
  }
}
