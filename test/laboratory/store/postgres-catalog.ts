import { type Damage, refused, repaired } from '../damage.ts';
import type { StoreSpecimen } from './specimen.ts';

const GUARDS = repaired('the trigger is made or switched on again, as the layout has it');
const REBUILT = repaired('the index is built anew');
const STREAM_INDEX = 'eventcore_events_stream_version_idx';
const NEW_ID = "'0a0b0c0d-0000-7000-8000-000000000002'";

const copyOf = (where: string, id: string, stream = 'stream_id'): string =>
  `INSERT INTO eventcore_events SELECT ${id}, ${stream}, stream_version, event_type, event_data, metadata, created_at
     FROM eventcore_events WHERE ${where}`;

/** Damage to what guards events in PostgreSQL. */
export const POSTGRES_CATALOG_DAMAGE: readonly Damage<StoreSpecimen>[] = [
  {
    name: 'the trigger that gives versions is switched off',
    does: async ({ sql }) => {
      await sql('ALTER TABLE eventcore_events DISABLE TRIGGER eventcore_version_trigger');
      return ['eventcore_version_trigger'];
    },
    expect: { rung: 'catalog', reports: ['guards'], repair: GUARDS },
  },
  {
    name: 'the trigger that forbids deletes is gone',
    does: async ({ sql }) => {
      await sql('DROP TRIGGER eventcore_prevent_delete_trigger ON eventcore_events');
      return ['eventcore_prevent_delete_trigger'];
    },
    expect: { rung: 'catalog', reports: ['guards'], repair: GUARDS },
  },
  {
    name: 'the function that forbids updates does nothing',
    does: async ({ sql }) => {
      await sql(`CREATE OR REPLACE FUNCTION eventcore_prevent_update() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RETURN NEW; END'`);
      return ['eventcore_prevent_update'];
    },
    expect: { rung: 'catalog', reports: ['guards'], repair: GUARDS },
  },
  {
    name: 'all who connect to the database are taken for replicas, for whom no trigger fires',
    does: async ({ sql }) => {
      await sql('ALTER DATABASE shop SET session_replication_role = replica');
      return ['session_replication_role'];
    },
    expect: {
      rung: 'catalog',
      reports: ['guards'],
      repair: refused(/take the setting back/, '`ALTER DATABASE … RESET session_replication_role`'),
    },
  },
  {
    name: 'a column that must be filled may be empty',
    does: async ({ sql }) => {
      await sql('ALTER TABLE eventcore_events ALTER COLUMN event_type DROP NOT NULL');
      return ['event_type'];
    },
    expect: {
      rung: 'catalog',
      reports: ['constraints'],
      repair: repaired('NOT NULL is set again'),
    },
  },
  {
    name: 'a sequence is behind the column that it numbers',
    does: async ({ sql }) => {
      await sql(
        'ALTER TABLE eventcore_subscription_versions ADD COLUMN number bigserial',
        "SELECT setval('eventcore_subscription_versions_number_seq', 1, false)",
      );
      return ['eventcore_subscription_versions_number_seq'];
    },
    expect: {
      rung: 'catalog',
      reports: ['sequences'],
      repair: repaired('the sequence is set to the greatest number that is there'),
      differs: 'the column that the damage needs',
    },
  },
  {
    name: 'the index that keeps versions unique is gone',
    does: async ({ sql }) => {
      await sql(`DROP INDEX ${STREAM_INDEX}`);
      return [STREAM_INDEX];
    },
    expect: { rung: 'catalog', reports: ['indexes'], repair: REBUILT },
  },
  {
    name: 'the index that keeps versions unique is not valid',
    does: async ({ sql }) => {
      await sql(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = '${STREAM_INDEX}'::regclass`);
      return [STREAM_INDEX];
    },
    expect: { rung: 'catalog', reports: ['indexes'], repair: REBUILT },
  },
  {
    name: 'the index that keeps versions unique is not unique',
    does: async ({ sql }) => {
      await sql(
        `DROP INDEX ${STREAM_INDEX}`,
        `CREATE INDEX ${STREAM_INDEX} ON eventcore_events (stream_id, stream_version)`,
      );
      return [STREAM_INDEX];
    },
    expect: {
      rung: 'catalog',
      reports: ['indexes'],
      repair: refused(
        /look who made it so/,
        'drop it, then `eventcore monitor --once --repair --apply` makes the right one',
      ),
    },
  },
  {
    name: 'a bad merge left an event twice, with two ids at one version',
    does: async ({ sql }) => {
      await sql(
        `DROP INDEX ${STREAM_INDEX}`,
        copyOf("stream_id = 'parcel-3' AND stream_version = 3", NEW_ID),
      );
      return ['parcel-3', '3'];
    },
    expect: {
      rung: 'streams',
      reports: ['stream_duplicates', 'indexes', 'event_replaced'],
      repair: repaired('the copy is taken away and kept aside, then the index is built anew'),
    },
  },
  {
    name: 'an event has its id in two streams',
    does: async ({ sql }) => {
      await sql(
        'ALTER TABLE eventcore_events DROP CONSTRAINT eventcore_events_pkey',
        copyOf("stream_id = 'parcel-3' AND stream_version = 3", 'event_id', "'parcel-copied'"),
      );
      return ['parcel-copied'];
    },
    expect: {
      rung: 'streams',
      reports: ['unique_ids', 'unique_ids_whole', 'indexes', 'stream_gaps'],
      repair: refused(
        /the id is also that of another event/,
        'decide which of the two streams the event belongs to',
      ),
    },
  },
  {
    name: 'a row is hidden from the index that keeps versions unique',
    does: async ({ sql }) => {
      const ready = (is: boolean): string =>
        `UPDATE pg_index SET indisready = ${is} WHERE indexrelid = '${STREAM_INDEX}'::regclass`;
      const row = "stream_id = 'parcel-4' AND stream_version = 4";
      await sql(`CREATE TABLE aside AS SELECT * FROM eventcore_events WHERE ${row}`);
      await sql(`DELETE FROM eventcore_events WHERE ${row}`, ready(false));
      await sql('INSERT INTO eventcore_events SELECT * FROM aside', 'DROP TABLE aside', ready(true));
      return [STREAM_INDEX];
    },
    expect: { rung: 'streams', reports: ['index_agrees', 'stream_gaps'], repair: REBUILT },
  },
  {
    name: 'a checkpoint names an event that the store does not have',
    does: async ({ sql }) => {
      await sql(
        "UPDATE eventcore_subscription_versions SET last_position = 'ffffffff-ffff-7fff-bfff-ffffffffffff'",
      );
      return ['invoices'];
    },
    expect: {
      rung: 'catalog',
      reports: ['checkpoints'],
      repair: repaired('the checkpoint is set back to the last event; what it was is kept aside'),
      differs: 'the checkpoint',
    },
  },
  {
    name: 'a snapshot is ahead of its stream',
    does: async ({ sql }) => {
      await sql(`INSERT INTO eventcore_command_state_snapshots (snapshot_id, state, stream_versions)
        VALUES ('orders', '{}', '{"parcel-1": 99}')`);
      return ['orders'];
    },
    expect: {
      rung: 'streams',
      reports: ['snapshots'],
      repair: repaired('the snapshot is dropped and kept aside: it is a cache'),
    },
  },
];
