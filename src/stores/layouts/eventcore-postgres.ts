import type { CompanionRole } from '../../core/event-store.ts';

/**
 * How EventCore shapes its tables in PostgreSQL (crate eventcore-postgres 2.0, migrations 0001 to 0007). Data only:
 * stores/postgres turns it into SQL. `{schema}` stands for the quoted name of the schema.
 */
export interface ColumnLayout {
  readonly name: string;
  /** As PostgreSQL's format_type() spells it. */
  readonly type: string;
  /** What stands behind the type in CREATE TABLE. */
  readonly modifiers: string;
}

export interface IndexLayout {
  readonly name: string;
  readonly unique: boolean;
  readonly columns: string;
}

export interface TableLayout {
  readonly name: string;
  readonly columns: readonly ColumnLayout[];
  readonly primaryKey: { readonly name: string; readonly column: string };
  readonly indexes: readonly IndexLayout[];
  /** Table constraints, without names: PostgreSQL then gives them the names that EventCore's tables have. */
  readonly checks: readonly string[];
}

export interface CompanionLayout extends TableLayout {
  readonly role: CompanionRole;
  /** Its rows name events by a foreign key. */
  readonly refersToEvents?: true;
}

export const LAYOUT_NAME = 'eventcore';

/** The version of a stream's first event. */
export const VERSION_BASE = 1;

/** In the order that every COPY of this adapter uses. */
export const EVENTS: TableLayout = {
  name: 'eventcore_events',
  columns: [
    { name: 'event_id', type: 'uuid', modifiers: 'NOT NULL' },
    { name: 'stream_id', type: 'text', modifiers: 'NOT NULL' },
    { name: 'stream_version', type: 'bigint', modifiers: 'NOT NULL DEFAULT 0' },
    { name: 'event_type', type: 'text', modifiers: 'NOT NULL' },
    { name: 'event_data', type: 'jsonb', modifiers: 'NOT NULL' },
    { name: 'metadata', type: 'jsonb', modifiers: "NOT NULL DEFAULT '{}'::jsonb" },
    { name: 'created_at', type: 'timestamp with time zone', modifiers: 'NOT NULL DEFAULT now()' },
  ],
  primaryKey: { name: 'eventcore_events_pkey', column: 'event_id' },
  indexes: [
    { name: 'eventcore_events_stream_version_idx', unique: true, columns: 'stream_id, stream_version' },
    { name: 'eventcore_events_stream_idx', unique: false, columns: 'stream_id' },
  ],
  checks: [],
};

export const CHECKPOINTS: CompanionLayout = {
  role: 'checkpoints',
  name: 'eventcore_subscription_versions',
  columns: [
    { name: 'subscription_name', type: 'text', modifiers: 'NOT NULL' },
    { name: 'last_position', type: 'uuid', modifiers: 'NOT NULL' },
    { name: 'updated_at', type: 'timestamp with time zone', modifiers: 'NOT NULL DEFAULT now()' },
  ],
  primaryKey: { name: 'eventcore_subscription_versions_pkey', column: 'subscription_name' },
  indexes: [{ name: 'eventcore_subscription_versions_updated_at_idx', unique: false, columns: 'updated_at' }],
  checks: [],
};

export const SNAPSHOTS: CompanionLayout = {
  role: 'snapshots',
  name: 'eventcore_command_state_snapshots',
  columns: [
    { name: 'snapshot_id', type: 'text', modifiers: 'NOT NULL' },
    { name: 'state', type: 'jsonb', modifiers: 'NOT NULL' },
    { name: 'stream_versions', type: 'jsonb', modifiers: 'NOT NULL' },
    { name: 'replay_checkpoints', type: 'jsonb', modifiers: "NOT NULL DEFAULT '[]'::jsonb" },
    { name: 'updated_at', type: 'timestamp with time zone', modifiers: 'NOT NULL DEFAULT now()' },
  ],
  primaryKey: { name: 'eventcore_command_state_snapshots_pkey', column: 'snapshot_id' },
  indexes: [],
  checks: ["jsonb_typeof(stream_versions) = 'object'", "jsonb_typeof(replay_checkpoints) = 'array'"],
};

/** sqlx's list of migrations that have run. Made by sqlx, never by `init`; restored where there is none. */
export const LEDGER: CompanionLayout = {
  role: 'ledger',
  name: '_sqlx_migrations',
  columns: [
    { name: 'version', type: 'bigint', modifiers: 'NOT NULL' },
    { name: 'description', type: 'text', modifiers: 'NOT NULL' },
    { name: 'installed_on', type: 'timestamp with time zone', modifiers: 'NOT NULL DEFAULT now()' },
    { name: 'success', type: 'boolean', modifiers: 'NOT NULL' },
    { name: 'checksum', type: 'bytea', modifiers: 'NOT NULL' },
    { name: 'execution_time', type: 'bigint', modifiers: 'NOT NULL' },
  ],
  primaryKey: { name: '_sqlx_migrations_pkey', column: 'version' },
  indexes: [],
  checks: [],
};

/**
 * What repairs changed, as it was before. Ours, not EventCore's: made by the first repair, neither backed up nor replaced by a
 * restore.
 */
export const REPAIRS: TableLayout = {
  name: 'eventcore_repairs',
  columns: [
    { name: 'entry', type: 'bigint', modifiers: 'GENERATED ALWAYS AS IDENTITY' },
    { name: 'repair_id', type: 'uuid', modifiers: 'NOT NULL' },
    { name: 'repaired_at', type: 'timestamp with time zone', modifiers: 'NOT NULL DEFAULT now()' },
    { name: 'repaired_by', type: 'text', modifiers: 'NOT NULL DEFAULT session_user' },
    { name: 'kind', type: 'text', modifiers: 'NOT NULL' },
    { name: 'reason', type: 'text', modifiers: 'NOT NULL' },
    { name: 'stream_id', type: 'text', modifiers: '' },
    { name: 'stream_version', type: 'bigint', modifiers: '' },
    { name: 'event_id', type: 'text', modifiers: '' },
    { name: 'row_before', type: 'jsonb', modifiers: '' },
    { name: 'sha256_after', type: 'text', modifiers: '' },
  ],
  primaryKey: { name: 'eventcore_repairs_pkey', column: 'entry' },
  indexes: [],
  checks: [],
};

export const COMPANIONS: readonly CompanionLayout[] = [CHECKPOINTS, SNAPSHOTS, LEDGER];

export interface TriggerLayout {
  readonly name: string;
  readonly event: 'INSERT' | 'UPDATE' | 'DELETE';
  readonly functionName: string;
  readonly functionBody: string;
}

/** The transaction setting in which an append declares the versions that it expects, as a JSON object. */
export const EXPECTED_VERSIONS_SETTING = 'eventcore.expected_versions';

/**
 * Row triggers on the events. EventCore's client reads the text of the conflict message, so its wording is part of
 * the layout. The table is named without its schema, as EventCore does: sessions that append have it on their
 * search path.
 */
export const TRIGGERS: readonly TriggerLayout[] = [
  {
    name: 'eventcore_version_trigger',
    event: 'INSERT',
    functionName: 'eventcore_assign_stream_version',
    functionBody: `
DECLARE
  declared jsonb := nullif(current_setting('${EXPECTED_VERSIONS_SETTING}', true), '')::jsonb;
  expected bigint;
  head bigint;
BEGIN
  SELECT e.stream_version INTO head
    FROM eventcore_events e
   WHERE e.stream_id = NEW.stream_id
   ORDER BY e.stream_version DESC
   LIMIT 1
     FOR UPDATE;
  head := coalesce(head, 0);
  NEW.stream_version := head + 1;
  IF declared IS NULL THEN
    RETURN NEW;
  END IF;
  expected := (declared ->> NEW.stream_id)::bigint;
  IF expected <> head THEN
    RAISE EXCEPTION 'version_conflict: stream "%" expected version %, actual %', NEW.stream_id, expected, head
      USING ERRCODE = 'P0001';
  END IF;
  -- The next row of this statement in the same stream expects this one.
  declared := jsonb_set(declared, ARRAY[NEW.stream_id], to_jsonb(head + 1));
  PERFORM set_config('${EXPECTED_VERSIONS_SETTING}', declared::text, true);
  RETURN NEW;
END`,
  },
  {
    name: 'eventcore_prevent_update_trigger',
    event: 'UPDATE',
    functionName: 'eventcore_prevent_update',
    functionBody: `
BEGIN
  RAISE EXCEPTION 'an event is immutable: it cannot be updated' USING ERRCODE = 'P0002';
END`,
  },
  {
    name: 'eventcore_prevent_delete_trigger',
    event: 'DELETE',
    functionName: 'eventcore_prevent_delete',
    functionBody: `
BEGIN
  RAISE EXCEPTION 'an event is immutable: it cannot be deleted' USING ERRCODE = 'P0002';
END`,
  },
];
