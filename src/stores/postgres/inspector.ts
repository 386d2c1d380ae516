import type { StoreDescription } from '../../core/event-store.ts';
import { LAYOUT_NAME, VERSION_BASE } from '../layouts/eventcore-postgres.ts';
import { findEvents } from './catalog.ts';
import { type Database, withClient } from './connection.ts';

export async function inspectStore(database: Database): Promise<StoreDescription> {
  return withClient(database, async (client) => {
    const { rows } = await client.query<{ version: string }>(
      `SELECT split_part(current_setting('server_version'), ' ', 1) AS version`,
    );
    const serverVersion = rows[0]!.version;
    const { foreign } = database.address;
    const { name, versionBase } = foreign ?? { name: LAYOUT_NAME, versionBase: VERSION_BASE };
    const about = { kind: 'postgres', layout: name, versionBase, serverVersion } as const;
    const events = await findEvents(client, database.address);
    if (events === null) return { ...about, state: 'missing' };
    const found = await client.query<{ filled: boolean }>(
      `SELECT EXISTS (SELECT FROM ${events.table}) AS filled`,
    );
    return { ...about, state: found.rows[0]!.filled ? 'filled' : 'empty' };
  });
}
