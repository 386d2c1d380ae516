import { type Damage, refused, repaired } from '../damage.ts';
import type { StoreSpecimen } from './specimen.ts';

const REINSTATED = repaired('missing events are added again from the chain');
const PUT_BACK = repaired('events are put back as the chain has them; what was there is kept aside');
const ONLY_LIVE =
  'only the store has the event: compare with consumers and read models, then append a correction';

const at = (stream: string, version: number): string =>
  `stream_id = '${stream}' AND stream_version = ${version}`;

const change = (column: string, value: string, stream: string, version: number): string =>
  `UPDATE eventcore_events SET ${column} = ${value} WHERE ${at(stream, version)}`;

const NEW_ID = "'0a0b0c0d-0000-7000-8000-000000000001'";

/** A row as another one, but for what is said. */
function copyRow(to: { id: string; stream?: string; version?: number }, from: string): string {
  const stream = to.stream === undefined ? 'stream_id' : `'${to.stream}'`;
  return `INSERT INTO eventcore_events
    (event_id, stream_id, stream_version, event_type, event_data, metadata, created_at)
    SELECT ${to.id}, ${stream}, ${to.version ?? 'stream_version'}, event_type, event_data, metadata, created_at
      FROM eventcore_events WHERE ${from}`;
}

/** Damage to rows, as it is done past the guards of an event store: alike in all stores. */
export const EVENT_DAMAGE: readonly Damage<StoreSpecimen>[] = [
  {
    name: 'an event is deleted from the middle of a stream',
    does: async ({ sql }) => {
      await sql(`DELETE FROM eventcore_events WHERE ${at('parcel-1', 3)}`);
      return ['parcel-1', '3'];
    },
    expect: { rung: 'streams', reports: ['stream_gaps', 'stream_gap'], repair: REINSTATED },
  },
  {
    name: 'the last events of a stream are deleted',
    does: async ({ sql }) => {
      await sql("DELETE FROM eventcore_events WHERE stream_id = 'parcel-2' AND stream_version >= 7");
      return ['parcel-2', '6'];
    },
    expect: {
      rung: 'streams',
      reports: ['stream_shortened'],
      repair: repaired(
        'missing events are added again from the chain; the newest one, which only the store had, is lost',
      ),
      differs: 'one event that no backup has',
    },
  },
  {
    name: 'a whole stream is deleted',
    does: async ({ sql }) => {
      await sql("DELETE FROM eventcore_events WHERE stream_id = 'big-1'");
      return ['big-1'];
    },
    expect: { rung: 'streams', reports: ['stream_missing'], repair: REINSTATED },
  },
  {
    name: 'two events of a stream have each other’s version',
    does: async ({ sql }) => {
      await sql(
        change('stream_version', '-7', 'parcel-1', 2),
        change('stream_version', '2', 'parcel-1', 5),
        change('stream_version', '5', 'parcel-1', -7),
      );
      return ['parcel-1'];
    },
    expect: { rung: 'comparison', reports: ['event_replaced'], repair: PUT_BACK },
  },
  {
    name: 'the payload of an event is changed',
    does: async ({ sql }) => {
      await sql(change('event_data', `'{"order": 3, "line": 4, "amount": 1000000}'`, 'parcel-3', 4));
      return ['parcel-3', '4'];
    },
    expect: { rung: 'comparison', reports: ['event_changed'], repair: PUT_BACK },
  },
  {
    name: 'the metadata of an event are changed',
    does: async ({ sql }) => {
      await sql(change('metadata', `'{"correlationId": "c-5", "actor": "nobody"}'`, 'parcel-3', 5));
      return ['parcel-3', '5'];
    },
    expect: { rung: 'comparison', reports: ['event_changed'], repair: PUT_BACK },
  },
  {
    name: 'an event that no backup has lacks metadata that must be there',
    does: async ({ sql }) => {
      await sql(change('metadata', "'{}'", 'late-1', 1));
      return ['late-1', '1'];
    },
    expect: {
      rung: 'streams',
      reports: ['required_metadata', 'event_metadata_missing'],
      repair: refused(/lacks metadata|has not all of the keys/, ONLY_LIVE),
    },
  },
  {
    name: 'the type of an event is changed',
    does: async ({ sql }) => {
      await sql(change('event_type', "'LineRemoved'", 'parcel-4', 2));
      return ['parcel-4', '2'];
    },
    expect: { rung: 'comparison', reports: ['event_changed'], repair: PUT_BACK },
  },
  {
    name: 'the clock jumped a hundred years ahead for an event',
    does: async ({ sql }) => {
      await sql(change('created_at', "'2126-01-01T00:00:00.000Z'", 'parcel-4', 6));
      return ['parcel-4', '6'];
    },
    expect: { rung: 'streams', reports: ['event_times', 'clock_jump', 'event_changed'], repair: PUT_BACK },
  },
  {
    name: 'the clock jumped back to 1970 for an event',
    does: async ({ sql }) => {
      await sql(change('created_at', "'1970-01-02T00:00:00.000Z'", 'parcel-5', 2));
      return ['parcel-5', '2'];
    },
    expect: { rung: 'streams', reports: ['event_times', 'clock_jump', 'event_changed'], repair: PUT_BACK },
  },
  {
    name: 'the clock jumped ahead for an event that no backup has',
    does: async ({ sql }) => {
      await sql(change('created_at', "'2126-01-01T00:00:00.000Z'", 'late-1', 2));
      return ['late-1', '2'];
    },
    expect: {
      rung: 'streams',
      reports: ['event_times', 'event_time_odd'],
      repair: refused(/ahead of the store's clock/, ONLY_LIVE),
    },
  },
  {
    name: 'an event has no type',
    does: async ({ sql }) => {
      await sql(change('event_type', "''", 'parcel-5', 7));
      return ['parcel-5', '7'];
    },
    expect: { rung: 'streams', reports: ['event_fields', 'event_changed'], repair: PUT_BACK },
  },
  {
    name: 'an event has moved to a stream without a name',
    does: async ({ sql }) => {
      await sql(change('stream_id', "''", 'parcel-6', 1));
      return ['parcel-6'];
    },
    expect: {
      rung: 'streams',
      reports: ['event_fields', 'event_fields_empty', 'stream_gaps', 'stream_gap'],
      repair: PUT_BACK,
    },
  },
  {
    name: 'another event stands at a version',
    does: async ({ sql }) => {
      await sql(
        `DELETE FROM eventcore_events WHERE ${at('parcel-1', 8)}`,
        copyRow({ id: NEW_ID, stream: 'parcel-1', version: 8 }, at('parcel-2', 7)),
      );
      return ['parcel-1', '8'];
    },
    expect: {
      rung: 'comparison',
      reports: ['event_replaced'],
      repair: refused(
        /another event stands there, which only the store has/,
        'look at both with `eventcore diff`, and decide which of them happened',
      ),
    },
  },
  {
    name: 'an event is put into a gap that was always there',
    does: async ({ sql }) => {
      await sql(copyRow({ id: NEW_ID, version: 3 }, at('gap-1', 2)));
      return ['gap-1', '3'];
    },
    expect: {
      rung: 'streams',
      reports: ['event_unknown'],
      repair: refused(/a person has to say whether/, ONLY_LIVE),
    },
  },
  {
    name: 'the store is an old copy of its disk',
    does: async ({ sql }) => {
      await sql("DELETE FROM eventcore_events WHERE stream_version > 5 AND stream_id LIKE 'parcel-%'");
      return ['parcel-1', 'parcel-6'];
    },
    expect: {
      rung: 'streams',
      reports: ['stream_shortened'],
      repair: repaired(
        'what the chain has is added again; what came behind the newest backup is lost, or in the change log',
      ),
      differs: 'events that no backup has',
    },
  },
];
