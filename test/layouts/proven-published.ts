import { digestSql, type ProvenStore } from '../harness/proven-store.ts';
import { installMarten } from './marten.ts';
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
