import type pg from 'pg';
import type { StoreDescription } from '../../core/event-store.ts';
import { LAYOUT_NAME, VERSION_BASE } from '../layouts/eventcore-postgres.ts';
import { type FoundEvents, findEvents } from './catalog.ts';
import { type Database, withClient } from './connection.ts';
import { readTargetColumns } from './target-columns.ts';

export async function inspectStore(database: Database): Promise<StoreDescription> {
  return withClient(database, async (client) => {
    const { rows } = await client.query<{ version: string }>(
      `SELECT split_part(current_setting('server_version'), ' ', 1) AS version`,
    );
    const serverVersion = rows[0]!.version;
    const { foreign } = database.address;
    const { name, versionBase } = foreign ?? { name: LAYOUT_NAME, versionBase: VERSION_BASE };
    const adopts = foreign?.adopts === undefined ? {} : { adopts: true };
    const about = { kind: 'postgres', layout: name, versionBase, serverVersion, ...adopts } as const;
    const events = await findEvents(client, database.address);
    if (events === null) return { ...about, state: 'missing' };
    const columns = await describeColumns(client, events);
    const found = await client.query<{ filled: boolean }>(
      `SELECT EXISTS (SELECT FROM ${events.table}) AS filled`,
    );
    return { ...about, ...columns, state: found.rows[0]!.filled ? 'filled' : 'empty' };
  });
}

/** Nothing of EventCore's own table. */
async function describeColumns(
  client: pg.Client,
  { oid, foreign }: FoundEvents,
): Promise<Pick<StoreDescription, 'columns' | 'neededColumns'>> {
  if (foreign === null) return {};
  const isGiven = (name: string): boolean =>
    name in foreign.whole || name in foreign.rewritten || name === foreign.metadata;
  const columns = await readTargetColumns(client, oid);
  return {
    columns: Object.fromEntries(columns.map(({ name, type }) => [name, type])),
    neededColumns: columns.flatMap(({ name, isOptional }) => (isOptional || isGiven(name) ? [] : [name])),
  };
}
