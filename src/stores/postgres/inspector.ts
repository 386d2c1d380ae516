import type pg from 'pg';
import type { StoreDescription } from '../../core/event-store.ts';
import { EVENTS, LAYOUT_NAME, VERSION_BASE } from '../layouts/eventcore-postgres.ts';
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
    const about = {
      ...({ kind: 'postgres', layout: name, versionBase, serverVersion } as const),
      ...(foreign === null ? {} : { made: foreign.made }),
      ...(foreign?.adopts === undefined ? {} : { adopts: true as const }),
    };
    const events = await findEvents(client, database.address);
    if (events === null) return { ...about, state: 'missing', placeExists: true };
    const columns = await describeColumns(client, events);
    const found = await client.query<{ filled: boolean }>(
      `SELECT EXISTS (SELECT FROM ${events.table}) AS filled`,
    );
    return { ...about, ...columns, state: found.rows[0]!.filled ? 'filled' : 'empty' };
  });
}

/** Of EventCore's own table, only what is more than that. */
async function describeColumns(
  client: pg.Client,
  { oid, table, columns: found, foreign }: FoundEvents,
): Promise<Pick<StoreDescription, 'table' | 'unknownColumns' | 'columns' | 'neededColumns'>> {
  if (foreign === null) {
    const known = new Set(EVENTS.columns.map(({ name }) => name));
    const unknownColumns = [...found.keys()].filter((name) => !known.has(name));
    return { table, ...(unknownColumns.length === 0 ? {} : { unknownColumns }) };
  }
  const isGiven = (name: string): boolean =>
    name in foreign.whole || name in foreign.rewritten || name === foreign.metadata;
  const columns = await readTargetColumns(client, oid);
  return {
    table,
    columns: Object.fromEntries(columns.map(({ name, type }) => [name, type])),
    neededColumns: columns.flatMap(({ name, isOptional }) => (isOptional || isGiven(name) ? [] : [name])),
  };
}
