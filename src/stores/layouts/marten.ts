import type { ForeignLayout } from './foreign.ts';

const DEFAULT_TENANT = "'*DEFAULT*'";

/** Archived events whose stream was begun anew: both have versions from 1. */
const IS_REPLACED = `e.is_archived AND EXISTS (SELECT FROM {schema}.mt_streams AS t
  WHERE t.id = e.stream_id AND t.tenant_id = e.tenant_id AND NOT t.is_archived)`;

/** Without a `/` it is an id of the default tenant; else what is before the first one is the tenant. */
const STREAM = `CASE WHEN ${IS_REPLACED} THEN '%archived/' ELSE '' END ||
  CASE WHEN e.tenant_id = ${DEFAULT_TENANT} AND strpos(e.stream_id::text, '/') = 0 THEN e.stream_id::text
    ELSE replace(replace(coalesce(e.tenant_id, ''), '%', '%25'), '/', '%2F') || '/' || e.stream_id::text END`;

/** What a daemon has put down of holes in the sequence: it does not tell of events, and comes by itself. */
const BOOKKEEPING = "('HighWaterAllocationFence', 'HighWaterStuckGap')";

/**
 * Marten 8 and 9 (https://martendb.io), its event store: the documents beside it are not backed up, projections can be rebuilt. Whether an
 * event is archived its stream says: so a stream that is archived between two backups is no event that was changed.
 */
export const MARTEN: ForeignLayout = {
  name: 'marten',
  schema: 'public',
  versionBase: 1,
  table: 'mt_events',
  columns: {
    seq_id: ['bigint'],
    id: ['uuid'],
    stream_id: ['uuid', 'character varying', 'text'],
    version: ['bigint', 'integer'],
    data: ['jsonb'],
    type: ['character varying'],
    timestamp: ['timestamp with time zone'],
    tenant_id: ['character varying'],
    mt_dotnet_type: ['character varying'],
    is_archived: ['boolean'],
  },
  // Its metadata are columns, of which a store has those that were asked for.
  metadata: null,
  read: {
    id: 'e.id',
    stream: STREAM,
    version: 'e.version',
    type: 'e.type::text',
    data: 'e.data',
    time: 'e.timestamp',
  },
  whole: {
    id: { sql: 's.event_id' },
    stream_id: { sql: 's.stream_id', unless: `e.stream_id::text <> ${STREAM}` },
    version: { sql: 's.stream_version' },
    data: { sql: 's.event_data' },
    type: { sql: 's.event_type' },
    timestamp: { sql: 's.created_at' },
    tenant_id: { sql: DEFAULT_TENANT, unless: `e.tenant_id IS DISTINCT FROM ${DEFAULT_TENANT}` },
    is_archived: {
      sql: `coalesce((SELECT bool_and(t.is_archived) FROM {schema}.mt_streams AS t
        WHERE t.id = coalesce(s.metadata #>> '{columns,stream_id}', s.stream_id)::{type of stream_id}
          AND t.tenant_id = coalesce(s.metadata #>> '{columns,tenant_id}', ${DEFAULT_TENANT})), false)`,
      unless: `e.is_archived IS DISTINCT FROM (SELECT bool_and(t.is_archived) FROM {schema}.mt_streams AS t
        WHERE t.id = e.stream_id AND t.tenant_id = e.tenant_id)`,
    },
  },
  rewritten: {},
  order: "(s.metadata #>> '{columns,seq_id}')::bigint",
  sequences: [{ name: 'mt_events_sequence', column: 'seq_id' }],
  companions: [
    // What its partitions are is told when they are made: in a target it is there.
    { name: 'mt_tenant_partitions', role: 'ledger', key: 'partition_value' },
    { name: 'mt_streams', role: 'streams', key: 'id, tenant_id, is_archived' },
    { name: 'mt_natural_key_%', role: 'streams', key: 'natural_key_value' },
    { name: 'mt_event_progression', role: 'progress', key: 'name' },
    { name: 'mt_high_water_skips', role: 'progress', key: 'ending_sequence' },
    { name: 'mt_event_tag_%', role: 'streams', key: 'seq_id, value', refersToEvents: true },
  ],
  before: [],
  after: [
    // Numbers that were taken and rolled back are given again: whoever is said to be beyond them would pass their events over.
    `DO $$
     DECLARE
       part record;
       last bigint;
     BEGIN
       IF to_regclass('mt_tenant_partitions') IS NOT NULL THEN
         FOR part IN EXECUTE 'SELECT partition_suffix AS suffix, array_agg(partition_value::varchar) AS tenants FROM mt_tenant_partitions GROUP BY 1' LOOP
           SELECT coalesce(max(seq_id), 0) INTO last FROM mt_events WHERE tenant_id = ANY (part.tenants);
           EXECUTE format('ALTER SEQUENCE IF EXISTS %I RESTART WITH %s', 'mt_events_sequence_' || part.suffix, last + 1);
           UPDATE mt_event_progression SET last_seq_id = last
            WHERE last_seq_id > last AND EXISTS (SELECT FROM unnest(part.tenants) AS tenant WHERE right(name, length(tenant) + 1) = ':' || tenant);
         END LOOP;
       END IF;
       SELECT coalesce(max(seq_id), 0) INTO last FROM mt_events;
       DELETE FROM mt_event_progression WHERE last_seq_id > last AND name IN ${BOOKKEEPING};
       UPDATE mt_event_progression SET last_seq_id = last WHERE last_seq_id > last;
     END $$`,
  ],
  made: 'Marten itself: `store.Storage.ApplyAllConfiguredChangesToDatabaseAsync()`',
};
