import type { ForeignLayout } from './foreign.ts';

/** Names that the library makes of the name of an application. */
function namesFor(table: string): { snapshots: string; tracking: string } {
  const application = table.replace(/_events$/, '');
  return {
    snapshots: `${application}_snapshots`,
    tracking: `${application === 'stored' ? 'notification' : application}_tracking`,
  };
}

/**
 * The Python library eventsourcing 9 on PostgreSQL (https://github.com/pyeventsourcing/eventsourcing): a table for each application. What an event says is
 * bytes, which the application may have compressed and encrypted: its keys are not in the database, and so not in a backup. When
 * it was is in there too, so every event has the time 1970-01-01.
 */
function pyeventsourcing(table: string): ForeignLayout {
  const { snapshots, tracking } = namesFor(table);
  return {
    name: 'pyeventsourcing',
    schema: 'public',
    versionBase: 1,
    table,
    renamed: pyeventsourcing,
    columns: {
      originator_id: ['uuid', 'text'],
      originator_version: ['bigint', 'integer'],
      topic: ['text'],
      state: ['bytea'],
      notification_id: ['bigint', 'integer'],
    },
    metadata: null,
    read: {
      id: "md5(e.originator_version || '@' || e.originator_id::text)::uuid",
      stream: 'e.originator_id::text',
      version: 'e.originator_version',
      type: "coalesce(e.topic, '')",
      data: "to_jsonb(translate(encode(e.state, 'base64'), chr(10), ''))",
      time: 'to_timestamp(0)',
    },
    whole: {
      originator_id: { sql: 's.stream_id' },
      originator_version: { sql: 's.stream_version' },
      topic: { sql: 's.event_type', unless: 'e.topic IS NULL' },
      // No state is JSON's null, of which there is no text.
      state: { sql: "decode(s.event_data #>> '{}', 'base64')" },
    },
    rewritten: {},
    order: "(s.metadata #>> '{columns,notification_id}')::bigint",
    sequences: [{ column: 'notification_id' }],
    companions: [
      { name: snapshots, role: 'streams', key: 'originator_id, originator_version' },
      { name: tracking, role: 'progress', key: 'application_name, notification_id' },
    ],
    before: [],
    after: [],
    made: 'the library itself: an application makes them when it starts, unless CREATE_TABLE is off',
  };
}

export const PYEVENTSOURCING: ForeignLayout = pyeventsourcing('stored_events');
