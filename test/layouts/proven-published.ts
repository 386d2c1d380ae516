import { PostgresEventStorageAdapter } from '@castore/event-storage-adapter-postgres';
import { digestSql, type ProvenStore } from '../harness/proven-store.ts';
import { installMarten } from './marten.ts';
import { installPyeventsourcing } from './pyeventsourcing.ts';
import { installRailsEventStore } from './rails-event-store.ts';

/** Stores put to the proof of exact incrementals by their published tables, with what their appends do. */

const IN_MARTEN = { table: 'mt_events', id: 'id' };

export const PROVEN_MARTEN: ProvenStore = {
  make: async (server) => {
    const name = await server.createDatabase();
    await installMarten(server, name, { identity: 'varchar', archivedPartition: true });
    return server.address(name);
  },
  append: async (client, { stream, from, ids }) => {
    await client.query('INSERT INTO mt_streams (id, version) VALUES ($1, 0) ON CONFLICT DO NOTHING', [
      stream,
    ]);
    await client.query(
      `INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, mt_dotnet_type)
       SELECT nextval('mt_events_sequence'), id, $2, $3::bigint + n - 1, jsonb_build_object('n', n), 'slow', now(), 'Slow'
         FROM unnest($1::uuid[]) WITH ORDINALITY AS new (id, n)`,
      [ids, stream, from],
    );
    await client.query('UPDATE mt_streams SET version = $2 WHERE id = $1', [stream, from + ids.length - 1]);
  },
  positions: false,
  naive: {
    ...{ events: 'mt_events', id: 'id' },
    questions: [
      {
        ...{ ...IN_MARTEN, name: 'timestamp > last', column: 'timestamp' },
        ...{ type: 'timestamptz', max: 'max(timestamp)' },
      },
      { ...IN_MARTEN, name: 'seq_id > last', column: 'seq_id', type: 'bigint', max: 'max(seq_id)' },
    ],
  },
  rows: digestSql(
    'SELECT e, s FROM mt_events AS e JOIN mt_streams AS s ON s.id = e.stream_id ORDER BY seq_id',
  ),
};

const IN_RAILS = { table: 'event_store_events', id: 'event_id' };

export const PROVEN_RAILS_EVENT_STORE: ProvenStore = {
  make: async (server) => {
    const name = await server.createDatabase();
    await installRailsEventStore(server, name, 'json');
    return server.address(name);
  },
  append: async (client, { stream, from, ids }) => {
    await client.query(
      `INSERT INTO event_store_events (event_id, event_type, data, created_at)
       SELECT id, 'Slow', format('{"n":%s }', n)::json, now() AT TIME ZONE 'UTC' FROM unnest($1::uuid[]) WITH ORDINALITY AS new (id, n)`,
      [ids],
    );
    // Every other stream has no positions.
    await client.query(
      `INSERT INTO event_store_events_in_streams (event_id, stream, position, created_at)
       SELECT id, $2::text, CASE WHEN hashtext($2::text) % 2 = 0 THEN $3::int + n - 2 END, now() AT TIME ZONE 'UTC'
         FROM unnest($1::uuid[]) WITH ORDINALITY AS new (id, n)`,
      [ids, stream, from],
    );
  },
  positions: false,
  naive: {
    ...{ events: 'event_store_events', id: 'event_id' },
    questions: [
      {
        ...{ ...IN_RAILS, name: 'created_at > last', column: 'created_at' },
        ...{ type: 'timestamp', max: 'max(created_at)' },
      },
      { ...IN_RAILS, name: 'id > last', column: 'id', type: 'bigint', max: 'max(id)' },
    ],
  },
  rows: digestSql(
    'SELECT e, l FROM event_store_events AS e LEFT JOIN event_store_events_in_streams AS l USING (event_id) ORDER BY e.id, l.id',
  ),
};

const IN_STORED = { table: 'stored_events', id: 'ref' };

/** Its events have no ids: those of the proof stand in a column of the application's. */
export const PROVEN_PYEVENTSOURCING: ProvenStore = {
  make: async (server) => {
    const name = await server.createDatabase();
    await installPyeventsourcing(server, name, '');
    await server.exec('ALTER TABLE stored_events ADD COLUMN ref uuid', name);
    return server.address(name);
  },
  append: async (client, { stream, from, ids }) => {
    await client.query('LOCK TABLE stored_events IN EXCLUSIVE MODE');
    await client.query(
      `INSERT INTO stored_events (originator_id, originator_version, topic, state, ref)
       SELECT md5($2)::uuid, $3::bigint + n - 1, 'shop:Slow', convert_to(n::text, 'UTF8'), ref
         FROM unnest($1::uuid[]) WITH ORDINALITY AS new (ref, n)`,
      [ids, stream, from],
    );
  },
  positions: false,
  naive: {
    ...{ events: 'stored_events', id: 'ref' },
    questions: [
      {
        ...{ ...IN_STORED, name: 'notification_id > last', column: 'notification_id' },
        ...{ type: 'bigint', max: 'max(notification_id)' },
      },
    ],
  },
  rows: digestSql('SELECT * FROM stored_events ORDER BY notification_id'),
};

const IN_CASTORE = { table: 'event', id: 'ref' };

/** The same. */
export const PROVEN_CASTORE: ProvenStore = {
  make: async (server) => {
    const name = await server.createDatabase();
    const connectionString = server.address(name);
    const aggregateId = { type: 'VARCHAR', length: 60 } as const;
    await PostgresEventStorageAdapter.createEventTable({ connectionString, tableName: 'event', aggregateId });
    await server.exec('ALTER TABLE event ADD COLUMN ref uuid', name);
    return connectionString;
  },
  append: (client, { stream, from, ids }) =>
    client.query(
      `INSERT INTO event (aggregate_name, aggregate_id, version, type, data, metadata, ref)
       SELECT 'carts', $2, $3::bigint + n - 1, 'SLOW', jsonb_build_object('n', n), NULL, ref
         FROM unnest($1::uuid[]) WITH ORDINALITY AS new (ref, n)`,
      [ids, stream, from],
    ),
  positions: false,
  naive: {
    ...{ events: 'event', id: 'ref' },
    questions: [
      {
        ...{ ...IN_CASTORE, name: 'timestamp > last', column: 'timestamp' },
        ...{ type: 'timestamptz', max: 'max(timestamp)' },
      },
      { ...IN_CASTORE, name: 'id > last', column: 'id', type: 'bigint', max: 'max(id)' },
    ],
  },
  rows: digestSql('SELECT * FROM event ORDER BY id'),
};
