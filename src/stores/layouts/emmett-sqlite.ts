import { archivedAs } from './emmett-postgres.ts';
import type { SqliteForeignLayout } from './foreign-sqlite.ts';

/** As in PostgreSQL. */
const HAS_OWN_NAME = `e.partition = 'emt:default' AND NOT e.is_archived AND instr(e.stream_id, '/') = 0`;
const IN_PARTITION = `concat(replace(replace(e.partition, '%', '%25'), '/', '%2F'),
  iif(e.is_archived, '%archived/', '/'), e.stream_id)`;
/** What CURRENT_TIMESTAMP gives. */
const USUAL_TIME = '[12][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]';

/**
 * Emmett on SQLite, 0.41 and 0.42 (https://github.com/event-driven-io/emmett). SQLite has one writer at a time, so a global position is what
 * commits were in the order of; it is kept as it was, and with it what consumers have got to.
 */
export const EMMETT_SQLITE: SqliteForeignLayout = {
  name: 'emmett',
  versionBase: 1,
  table: 'emt_messages',
  columns: [
    ...['stream_id', 'stream_position', 'partition', 'message_kind', 'message_data', 'message_metadata'],
    ...['message_schema_version', 'message_type', 'message_id', 'is_archived', 'global_position', 'created'],
  ],
  metadata: 'message_metadata',
  streamKey: { column: 'stream_id', separator: '/' },
  read: {
    // Applications may give ids of their own, also none.
    id: `CASE WHEN e.message_id <> '' THEN e.message_id
      ELSE concat(e.partition, '/', e.stream_id, '@', e.stream_position) END`,
    stream: `CASE WHEN ${HAS_OWN_NAME} THEN e.stream_id ELSE ${IN_PARTITION} END`,
    version: 'e.stream_position',
    type: 'e.message_type',
    data: 'e.message_data',
    time: `CASE WHEN e.created GLOB '${USUAL_TIME}'
      THEN concat(replace(e.created, ' ', 'T'), '.000Z') ELSE coalesce(CAST(e.created AS TEXT), '-infinity') END`,
  },
  whole: {
    stream_id: { sql: 's.stream_id', unless: `NOT (${HAS_OWN_NAME})` },
    stream_position: { sql: 's.stream_version' },
    partition: { sql: "'emt:default'", unless: "e.partition <> 'emt:default'" },
    message_kind: { sql: "'E'", unless: "e.message_kind <> 'E'" },
    message_data: { sql: 's.event_data' },
    message_type: { sql: 's.event_type' },
    message_id: { sql: 's.event_id', unless: "e.message_id = ''" },
    is_archived: { sql: '0', unless: 'e.is_archived <> 0' },
    created: {
      sql: `CASE WHEN s.created_at GLOB '*.000Z' THEN replace(substr(s.created_at, 1, 19), 'T', ' ') ELSE s.created_at END`,
      unless: `e.created NOT GLOB '${USUAL_TIME}'`,
    },
  },
  archivedAs,
  rewritten: {},
  adopts: { message_schema_version: "'1'", global_position: 's.number' },
  order: "CAST(s.metadata ->> '$.columns.global_position' AS INTEGER)",
  companions: [
    { name: 'emt_streams', role: 'streams' },
    { name: 'emt_processors', role: 'progress' },
    { name: 'emt_projections', role: 'progress' },
    {
      name: 'emt_subscriptions',
      role: 'progress',
      gathered: 'subscription_id TEXT, version INTEGER, partition TEXT, last_processed_position BIGINT',
    },
  ],
  before: [],
  after: [
    // Of a stream of which nothing was restored no row may say that there is one: its first append would be a conflict for ever.
    {
      needs: ['emt_streams'],
      sql: 'DELETE FROM emt_streams WHERE stream_id NOT IN (SELECT stream_id FROM emt_messages)',
    },
    // Every conflict moves the head without a message, and whoever then expects the version that can be read is refused for ever. Of messages that are
    // archived, and their stream is not, it is right. 0.42 has '[object Object]' as partition here, and 'emt:default' in the messages.
    {
      needs: ['emt_streams'],
      sql: `UPDATE emt_streams AS t
               SET stream_position = coalesce((SELECT max(stream_position) FROM emt_messages AS m
                     WHERE m.stream_id = t.stream_id AND m.partition = iif(t.partition = '[object Object]', 'emt:default', t.partition)
                       AND (NOT m.is_archived OR m.stream_position <= t.stream_position)), stream_position)
             WHERE NOT is_archived`,
    },
    {
      needs: ['emt_streams'],
      sql: `INSERT INTO emt_streams (stream_id, stream_position, partition, stream_type, stream_metadata, is_archived)
            SELECT stream_id, max(stream_position), iif(partition = 'emt:default', '[object Object]', partition), 'emt:unknown', '[]', 0
              FROM emt_messages AS m
             WHERE NOT is_archived AND NOT EXISTS (SELECT 1 FROM emt_streams AS t
                     WHERE t.stream_id = m.stream_id AND NOT t.is_archived
                       AND iif(t.partition = '[object Object]', 'emt:default', t.partition) = m.partition)
             GROUP BY stream_id, partition`,
    },
    // 0.42 moves them itself, but only where it still finds the table.
    {
      needs: ['temp.emt_subscriptions', 'emt_processors'],
      sql: `INSERT OR IGNORE INTO emt_processors
              (processor_id, version, partition, status, last_processed_checkpoint, processor_instance_id)
            SELECT subscription_id, version, partition, 'stopped', format('%019d', last_processed_position), 'emt:unknown'
              FROM temp.emt_subscriptions`,
    },
    // Who has seen more than there is would pass over what comes next.
    {
      needs: ['emt_processors'],
      sql: `UPDATE emt_processors
               SET last_processed_checkpoint = format('%019d', (SELECT coalesce(max(global_position), 0) FROM emt_messages))
             WHERE CAST(last_processed_checkpoint AS INTEGER) > (SELECT coalesce(max(global_position), 0) FROM emt_messages)`,
    },
    {
      needs: ['main.emt_subscriptions'],
      sql: `UPDATE main.emt_subscriptions
               SET last_processed_position = (SELECT coalesce(max(global_position), 0) FROM emt_messages)
             WHERE last_processed_position > (SELECT coalesce(max(global_position), 0) FROM emt_messages)`,
    },
  ],
  made: 'Emmett itself: `getSQLiteEventStore(…).schema.migrate()`',
};
