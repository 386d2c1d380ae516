import type { ForeignLayout } from './foreign.ts';

/** The first `/` is behind the name: ids may have more of them. */
const STREAM = "replace(replace(e.aggregate_name, '%', '%25'), '/', '%2F') || '/' || e.aggregate_id::text";

/**
 * Castore 2.4 on PostgreSQL (https://github.com/castore-dev/castore): one table, named by its users, with versions that clients give. Events have
 * no ids. `force` overwrites an event in place: an incremental backup then says which, and a full one begins anew.
 */
function castore(table: string): ForeignLayout {
  return {
    name: 'castore',
    schema: 'public',
    versionBase: 1,
    table,
    renamed: castore,
    columns: {
      id: ['bigint', 'integer'],
      aggregate_name: ['character varying'],
      aggregate_id: ['uuid', 'character varying', 'character', 'ulid'],
      version: ['bigint', 'integer'],
      type: ['character varying'],
      data: ['jsonb'],
      metadata: ['jsonb'],
      timestamp: ['timestamp with time zone'],
    },
    metadata: 'metadata',
    read: {
      id: `md5(e.version || '@' || ${STREAM})::uuid`,
      stream: STREAM,
      version: 'e.version',
      type: 'e.type::text',
      data: 'e.data',
      time: 'e.timestamp',
    },
    whole: {
      aggregate_name: { sql: "replace(replace(split_part(s.stream_id, '/', 1), '%2F', '/'), '%25', '%')" },
      aggregate_id: { sql: "substr(s.stream_id, strpos(s.stream_id, '/') + 1)" },
      version: { sql: 's.stream_version' },
      type: { sql: 's.event_type' },
      data: { sql: 's.event_data', unless: 'e.data IS NULL' },
      timestamp: { sql: 's.created_at' },
    },
    rewritten: {},
    order: "(s.metadata #>> '{columns,id}')::bigint",
    sequences: [{ column: 'id' }],
    companions: [],
    before: [],
    after: [],
    made: 'Castore itself: `PostgresEventStorageAdapter.createEventTable(…)`',
  };
}

export const CASTORE: ForeignLayout = castore('event');
