import type { StoreDescription } from '../../core/event-store.ts';
import { EVENTS, LAYOUT_NAME, VERSION_BASE } from '../layouts/eventcore-postgres.ts';
import { findEvents, qualified } from './catalog.ts';
import { type Database, withClient } from './connection.ts';

const ABOUT = { kind: 'postgres', layout: LAYOUT_NAME, versionBase: VERSION_BASE } as const;

export async function inspectStore(database: Database): Promise<StoreDescription> {
  return withClient(database, async (client) => {
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
}
