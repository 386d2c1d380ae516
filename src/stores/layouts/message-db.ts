import type { ForeignLayout } from './foreign.ts';

/**
 * message-db 1.3 (https://github.com/message-db/message-db): one table, positions from 0, and a global position that is the order of commits
 * within a category only. Positions of consumers are messages themselves.
 */
export const MESSAGE_DB: ForeignLayout = {
  name: 'message-db',
  schema: 'message_store',
  versionBase: 0,
  table: 'messages',
  columns: {
    global_position: ['bigint'],
    position: ['bigint'],
    time: ['timestamp without time zone'],
    stream_name: ['text', 'character varying'],
    type: ['text', 'character varying'],
    data: ['jsonb'],
    metadata: ['jsonb'],
    id: ['uuid'],
  },
  metadata: 'metadata',
  read: {
    id: 'e.id',
    stream: 'e.stream_name::text',
    version: 'e.position',
    type: 'e.type::text',
    data: 'e.data',
    time: "e.time AT TIME ZONE 'UTC'",
  },
  whole: {
    id: { sql: 's.event_id' },
    stream_name: { sql: 's.stream_id' },
    position: { sql: 's.stream_version' },
    type: { sql: 's.event_type' },
    data: { sql: 's.event_data', unless: 'e.data IS NULL' },
    time: { sql: "s.created_at AT TIME ZONE 'UTC'" },
  },
  rewritten: {},
  adopts: { global_position: 's.number' },
  order: "(s.metadata #>> '{columns,global_position}')::bigint",
  sequences: [{ name: 'messages_global_position_seq', column: 'global_position' }],
  companions: [],
  before: [],
  after: [],
  made: 'the install script of message-db',
};
