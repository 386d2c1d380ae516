import type { ForeignLayout } from './foreign.ts';
import { isUuidSql } from './uuid-sql.ts';

const DEFAULT = 'emt:default';
const HAS_UUID = isUuidSql('e.message_id');

/**
 * Streams of the default partition have their own names. The others, which may have the same ones, stand behind that of their partition and a
 * slash; so does what has a slash of its own. An archived stream makes room for a new one of its name: it stands behind `PARTITION%archived/`.
 */
const HAS_OWN_NAME = `e.partition = '${DEFAULT}' AND NOT e.is_archived AND position('/' IN e.stream_id) = 0`;
const IN_PARTITION = `replace(replace(e.partition, '%', '%25'), '/', '%2F')
  || CASE WHEN e.is_archived THEN '%archived/' ELSE '/' END || e.stream_id`;

export function archivedAs(stream: string): string {
  const slash = stream.indexOf('/');
  return slash === -1
    ? `${DEFAULT}%archived/${stream}`
    : `${stream.slice(0, slash)}%archived${stream.slice(slash)}`;
}

/**
 * Emmett on PostgreSQL, 0.42 and 0.43 (https://github.com/event-driven-io/emmett). Consumers read in the order of (transaction_id,
 * global_position) and see no transaction whose number is not below the oldest one that runs. In another cluster, whose numbers are others, events
 * would stay invisible, or new ones come before old ones; so all that is restored is given one number that is old everywhere, and its place in that
 * order as global position. What both were stays in the backup.
 */
export const EMMETT: ForeignLayout = {
  name: 'emmett',
  schema: 'public',
  versionBase: 1,
  table: 'emt_messages',
  columns: {
    stream_position: ['bigint'],
    global_position: ['bigint'],
    transaction_id: ['xid8'],
    created: ['timestamp with time zone'],
    is_archived: ['boolean'],
    message_kind: ['character varying'],
    stream_id: ['text'],
    partition: ['text'],
    message_schema_version: ['text'],
    message_id: ['text'],
    message_type: ['text'],
    message_data: ['jsonb'],
    message_metadata: ['jsonb'],
  },
  metadata: 'message_metadata',
  read: {
    id: `CASE WHEN ${HAS_UUID} THEN e.message_id::uuid
      ELSE md5(concat_ws('/', e.partition, e.stream_id, e.stream_position, e.message_id))::uuid END`,
    stream: `CASE WHEN ${HAS_OWN_NAME} THEN e.stream_id ELSE ${IN_PARTITION} END`,
    version: 'e.stream_position',
    type: 'e.message_type',
    data: 'e.message_data',
    time: 'e.created',
  },
  archivedAs,
  whole: {
    stream_position: { sql: 's.stream_version' },
    created: { sql: 's.created_at' },
    is_archived: { sql: 'false', unless: 'e.is_archived' },
    message_kind: { sql: "'E'", unless: "e.message_kind <> 'E'" },
    stream_id: { sql: 's.stream_id', unless: `NOT (${HAS_OWN_NAME})` },
    partition: { sql: `'${DEFAULT}'`, unless: `e.partition <> '${DEFAULT}'` },
    message_id: {
      sql: 's.event_id::text',
      unless: `NOT ${HAS_UUID}`,
    },
    message_type: { sql: 's.event_type' },
    message_data: { sql: 's.event_data' },
  },
  adopts: { message_schema_version: "'1'" },
  rewritten: { transaction_id: "'3'::xid8", global_position: 's.number' },
  order:
    "(s.metadata #>> '{columns,transaction_id}')::xid8, (s.metadata #>> '{columns,global_position}')::bigint",
  sequences: [{ name: 'emt_global_message_position', column: 'global_position' }],
  companions: [
    { name: 'emt_streams', role: 'streams', key: 'stream_id' },
    { name: 'emt_processors', role: 'progress', key: 'processor_id' },
    { name: 'emt_projections', role: 'progress', key: 'name' },
  ],
  before: [
    `SELECT emt_add_partition(partition) FROM (
       SELECT columns ->> 'partition' AS partition FROM pg_temp.restored WHERE columns ? 'partition'
        UNION SELECT columns ->> 'partition' FROM pg_temp.restored_rows) AS needed`,
  ],
  after: [
    // Where the head is of no message, the next append would leave a gap. Of messages that are archived, and their stream is not, it is right.
    `UPDATE emt_streams AS t SET stream_position = h.head
       FROM (SELECT a.stream_id, a.partition, greatest(max(m.stream_position) FILTER (WHERE NOT m.is_archived),
                    max(m.stream_position) FILTER (WHERE m.stream_position <= a.stream_position)) AS head
               FROM emt_streams AS a JOIN emt_messages AS m USING (stream_id, partition) WHERE NOT a.is_archived GROUP BY 1, 2) AS h
      WHERE t.stream_id = h.stream_id AND t.partition = h.partition AND NOT t.is_archived AND t.stream_position <> h.head`,
    `INSERT INTO emt_streams (stream_id, stream_position, partition, stream_type, stream_metadata, is_archived)
     SELECT m.stream_id, max(m.stream_position), m.partition, 'emt:unknown', '{}', false FROM emt_messages AS m
      WHERE NOT m.is_archived
        AND NOT EXISTS (SELECT FROM emt_streams AS t WHERE t.stream_id = m.stream_id AND t.partition = m.partition AND NOT t.is_archived)
      GROUP BY m.stream_id, m.partition`,
    // Up to the one before the first that it had not seen: 0.42 puts down the global position, 0.43 the transaction before it. A number with
    // zeros in front is octal to xid8.
    `UPDATE emt_processors AS p
        SET last_processed_transaction_id = '3', status = 'stopped', processor_instance_id = 'emt:unknown',
            last_processed_checkpoint = CASE WHEN position(':' IN last_processed_checkpoint) > 0 THEN lpad('3', 20, '0') || ':' ELSE '' END
              || lpad((coalesce((SELECT min(r.number) FROM pg_temp.restored AS r
                    WHERE CASE WHEN position(':' IN p.last_processed_checkpoint) > 0
                          THEN ((r.columns ->> 'transaction_id')::xid8, (r.columns ->> 'global_position')::bigint)
                             > (split_part(p.last_processed_checkpoint, ':', 1)::numeric::text::xid8, split_part(p.last_processed_checkpoint, ':', 2)::bigint)
                          ELSE (r.columns ->> 'global_position')::bigint > p.last_processed_checkpoint::bigint END),
                  (SELECT count(*) + 1 FROM pg_temp.restored)) - 1)::text, 19, '0')
      WHERE last_processed_checkpoint ~ '^[0-9]+(:[0-9]+)?$'`,
  ],
  made: 'Emmett itself: `getPostgreSQLEventStore(…).schema.migrate()`',
};
