import { openPostgresStore } from '../../../src/stores/postgres/store.ts';
import type { TestPostgres } from '../../harness/postgres.ts';

/** EventCore's table as people partition it: EventCore itself makes it in one piece. */

const COLUMNS = `event_id uuid NOT NULL, stream_id text NOT NULL, stream_version bigint NOT NULL DEFAULT 0,
  event_type text NOT NULL, event_data jsonb NOT NULL, metadata jsonb NOT NULL DEFAULT '{}'::jsonb,
  created_at timestamptz NOT NULL DEFAULT now()`;
const KEYS = (...more: string[]): string =>
  `CONSTRAINT eventcore_events_pkey PRIMARY KEY (${['event_id', ...more].join(', ')})`;

/** One part in another schema, another with its columns in another order. */
const BY_STREAM = `
  CREATE TABLE eventcore_events (${COLUMNS}, ${KEYS('stream_id')}) PARTITION BY HASH (stream_id);
  CREATE UNIQUE INDEX eventcore_events_stream_version_idx ON eventcore_events (stream_id, stream_version);
  CREATE INDEX eventcore_events_stream_idx ON eventcore_events (stream_id);
  CREATE SCHEMA "Cold one";
  CREATE TABLE eventcore_events_0 PARTITION OF eventcore_events FOR VALUES WITH (MODULUS 3, REMAINDER 0);
  CREATE TABLE "Cold one".eventcore_events_1 PARTITION OF eventcore_events FOR VALUES WITH (MODULUS 3, REMAINDER 1);
  CREATE TABLE eventcore_events_2 (metadata jsonb NOT NULL DEFAULT '{}'::jsonb, event_data jsonb NOT NULL, gone int,
    event_type text NOT NULL, stream_version bigint NOT NULL DEFAULT 0, stream_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(), event_id uuid NOT NULL);
  ALTER TABLE eventcore_events_2 DROP COLUMN gone;
  ALTER TABLE eventcore_events ATTACH PARTITION eventcore_events_2 FOR VALUES WITH (MODULUS 3, REMAINDER 2)`;

/** Of this month and of the rest, the first in parts of its own; an empty one of a month to come. No unique index over stream and version is possible. */
const BY_TIME = `
  CREATE TABLE eventcore_events (${COLUMNS}, ${KEYS('created_at', 'stream_id')}) PARTITION BY RANGE (created_at);
  CREATE INDEX eventcore_events_stream_idx ON eventcore_events (stream_id, stream_version);
  CREATE TABLE events_now PARTITION OF eventcore_events FOR VALUES FROM ('2020-01-01') TO ('2100-01-01') PARTITION BY HASH (stream_id);
  CREATE TABLE events_now_0 PARTITION OF events_now FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE events_now_1 PARTITION OF events_now FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  CREATE TABLE events_later PARTITION OF eventcore_events FOR VALUES FROM ('2100-01-01') TO ('2101-01-01');
  CREATE TABLE events_rest PARTITION OF eventcore_events DEFAULT`;

const BY_TYPE = `
  CREATE TABLE eventcore_events (${COLUMNS}, ${KEYS('event_type')}) PARTITION BY LIST (event_type);
  CREATE INDEX eventcore_events_stream_idx ON eventcore_events (stream_id, stream_version);
  CREATE TABLE events_some PARTITION OF eventcore_events FOR VALUES IN ('Type0', 'Type1');
  CREATE TABLE events_rest PARTITION OF eventcore_events DEFAULT`;

export const PARTITIONINGS = { 'by stream': BY_STREAM, 'by time': BY_TIME, 'by type': BY_TYPE } as const;

export type Partitioning = keyof typeof PARTITIONINGS;

/** An empty store; gives the name of its database. */
export async function makePartitioned(server: TestPostgres, partitioning: Partitioning): Promise<string> {
  const database = await server.createDatabase();
  await server.exec(PARTITIONINGS[partitioning], database);
  const store = openPostgresStore(server.address(database));
  await store.initialise();
  await store.close();
  return database;
}
