import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import type { NaiveStore } from './naive-backups.ts';
import type { TestPostgres } from './postgres.ts';
import type { AppendSome, SlowWriters } from './slow-writers.ts';

/** A store whose incremental backups are put to the proof: how it is made, written to, and compared. */
export interface ProvenStore {
  /** Makes an empty one in a database of its own; gives its address. */
  readonly make: (server: TestPostgres) => Promise<string>;
  /** How slow writers append; left out: into EventCore's table. */
  readonly append?: AppendSome;
  /** Slow writers also write ids into `naive.positions`: the store numbers its events nowhere. */
  readonly positions: boolean;
  /** Further writers, which may be the store's own library. */
  readonly alsoWrites?: (address: string, maxDelayMs: number) => Promise<SlowWriters>;
  readonly naive: NaiveStore;
  /** SQL whose rows are the same for the store and for what a restore made of its chain. */
  readonly rows: string;
}

/** SQL that gives the number of rows of a query, and a digest of all of them in its order. */
export function digestSql(query: string): string {
  return `SELECT count(*)::int AS rows, md5(string_agg(r::text, E'\\n')) AS digest FROM (${query}) AS r`;
}

const NAIVE = { table: 'eventcore_events', id: 'event_id' };

export const EVENTCORE: ProvenStore = {
  make: async (server) => {
    const address = server.address(await server.createDatabase());
    const store = openPostgresStore(address);
    await store.initialise();
    await store.close();
    return address;
  },
  positions: true,
  naive: {
    ...{ events: 'eventcore_events', id: 'event_id' },
    questions: [
      {
        ...NAIVE,
        name: 'created_at > last',
        column: 'created_at',
        type: 'timestamptz',
        max: 'max(created_at)',
      },
      { ...NAIVE, name: 'event_id > last', column: 'event_id', type: 'uuid', max: 'max(event_id::text)' },
      {
        ...{ name: 'global_position > last', table: 'naive.positions', id: 'event_id' },
        ...{ column: 'position', type: 'bigint', max: 'max(position)' },
      },
    ],
  },
  rows: digestSql('SELECT * FROM eventcore_events ORDER BY event_id'),
};
