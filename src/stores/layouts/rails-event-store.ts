import type { ForeignLayout } from './foreign.ts';
import { isUuidSql } from './uuid-sql.ts';

const HAS_UUID = isUuidSql('e.event_id::text');

/** Text that the type json takes and jsonb does not: NUL, halves of surrogate pairs, numbers beyond its range. */
const BEYOND_JSONB = "'\\\\u(0000|[dD][89a-fA-F])|[0-9]{255}|[0-9][eE][+-]?[0-9]{4,}(\\s|[],}]|$)'";

/**
 * Rails Event Store 2 (https://railseventstore.org). An event is in any number of streams, or in none but that of all events, and is linked to further
 * ones, and taken out of them, at any time; in some it has no position. So the events are one stream, `$all`, by the id that is their order there, with
 * gaps where appends were rolled back; and the links travel whole with each backup. An event that is rewritten (`update_messages`) is told as a difference.
 */
export const RAILS_EVENT_STORE: ForeignLayout = {
  name: 'rails-event-store',
  schema: 'public',
  versionBase: 1,
  table: 'event_store_events',
  columns: {
    id: ['bigint', 'integer'],
    event_id: ['uuid', 'character varying'],
    event_type: ['character varying'],
    metadata: ['jsonb', 'json', 'bytea'],
    data: ['jsonb', 'json', 'bytea'],
    created_at: ['timestamp without time zone'],
  },
  // Of the type that data has, so it travels as text.
  metadata: null,
  read: {
    id: `CASE WHEN ${HAS_UUID} THEN e.event_id::text::uuid ELSE md5(e.event_id::text)::uuid END`,
    stream: "'$all'",
    version: 'e.id',
    type: 'e.event_type::text',
    data: `CASE WHEN '{type of data}' = 'bytea' THEN to_jsonb(translate(encode(e.data::text::bytea, 'base64'), chr(10), ''))
      WHEN '{type of data}' = 'json' AND e.data::text ~ ${BEYOND_JSONB} THEN to_jsonb(e.data::text) ELSE to_jsonb(e.data) END`,
    time: "e.created_at AT TIME ZONE 'UTC'",
  },
  whole: {
    id: { sql: 's.stream_version' },
    event_id: { sql: 's.event_id::text', unless: `NOT ${HAS_UUID}` },
    event_type: { sql: 's.event_type' },
    data: {
      sql: `CASE WHEN '{type of data}' = 'bytea' THEN '\\x' || encode(decode(s.event_data #>> '{}', 'base64'), 'hex') ELSE s.event_data::text END`,
      // With its spaces, and its keys in their order.
      unless: "'{type of data}' = 'json'",
    },
    created_at: { sql: "s.created_at AT TIME ZONE 'UTC'" },
  },
  rewritten: {},
  order: 's.stream_version',
  sequences: [{ column: 'id' }, { table: 'event_store_events_in_streams', column: 'id' }],
  companions: [{ name: 'event_store_events_in_streams', role: 'streams', key: 'id', refersToEvents: true }],
  before: [],
  after: [],
  made: 'its migrations: `rails generate rails_event_store_active_record:migration`',
};
