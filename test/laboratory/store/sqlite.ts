import { readFileSync } from 'node:fs';
import { type Damage, refused, repaired } from '../damage.ts';
import { changePage, pageSizeOf } from './pages.ts';
import type { StoreSpecimen } from './specimen.ts';

const PUT_BACK = repaired('events are put back as the chain has them; what was there is kept aside');
const REBUILT = repaired('the index is built anew');
const STREAM_INDEX = 'idx_eventcore_events_stream_version';
const NEW_ID = "'0a0b0c0d-0000-7000-8000-000000000003'";

async function rootPage({ sql }: StoreSpecimen, name: string): Promise<number> {
  const [row] = await sql(`SELECT rootpage FROM sqlite_schema WHERE name = '${name}'`);
  return Number(row!.rootpage);
}

/** The page of the file that holds this text. */
function pageWith({ file }: StoreSpecimen, text: string): { number: number; at: number } {
  const at = readFileSync(file!).indexOf(text);
  const size = pageSizeOf(file!);
  return { number: Math.floor(at / size) + 1, at: at % size };
}

/** Damage that only SQLite knows: to its file, its schema, and to what it stores without looking at it. */
export const SQLITE_DAMAGE: readonly Damage<StoreSpecimen>[] = [
  {
    name: 'the payload of an event is no JSON any more',
    does: async ({ sql }) => {
      await sql(
        `UPDATE eventcore_events SET event_data = '{"order": 3, ' WHERE stream_id = 'parcel-3' AND stream_version = 4`,
      );
      return ['parcel-3', '4'];
    },
    expect: { rung: 'streams', reports: ['payloads', 'event_changed'], repair: PUT_BACK },
  },
  {
    name: 'a bit of a payload is flipped in the file',
    does: async (specimen) => {
      const { number, at } = pageWith(specimen, 'mark-2-4');
      changePage(specimen.file!, number, (page) => {
        page[at]! ^= 0x02;
      });
      return ['parcel-2', '4'];
    },
    expect: { rung: 'comparison', reports: ['event_changed'], repair: PUT_BACK },
  },
  {
    name: 'a page of the table is overwritten in the file',
    does: async (specimen) => {
      const { number } = pageWith(specimen, 'mark-2-4');
      changePage(specimen.file!, number, (page) => {
        page.fill(0x5a);
      });
      return [];
    },
    expect: {
      rung: 'blocks',
      reports: ['block_unreadable', 'unique_ids'],
      mayAlso: /cannot be read: /,
      repair: refused(
        /restore the newest backup to another file/,
        'restore into a new file: `eventcore restore --to sqlite:./new.db`',
      ),
    },
  },
  {
    name: 'a page of the index that keeps versions unique is overwritten in the file',
    does: async (specimen) => {
      changePage(specimen.file!, await rootPage(specimen, STREAM_INDEX), (page) => {
        page.fill(0x5a);
      });
      return [STREAM_INDEX];
    },
    expect: {
      rung: 'streams',
      reports: ['index_agrees', 'index_structure', 'streams_unreadable'],
      mayAlso: /cannot be read: /,
      repair: refused(
        /restore the newest backup to another file/,
        'restore into a new file: `eventcore restore --to sqlite:./new.db`',
      ),
    },
  },
  {
    name: 'a row is hidden from the index that keeps versions unique, in SQLite',
    does: async ({ sql }) => {
      const [schema] = await sql(`SELECT * FROM sqlite_schema WHERE name = '${STREAM_INDEX}'`);
      const { tbl_name: table, rootpage, sql: text } = schema!;
      const row = "stream_id = 'parcel-4' AND stream_version = 4";
      await sql(
        `CREATE TABLE aside AS SELECT * FROM eventcore_events WHERE ${row}`,
        `DELETE FROM eventcore_events WHERE ${row}`,
        'PRAGMA writable_schema = ON',
        `DELETE FROM sqlite_schema WHERE name = '${STREAM_INDEX}'`,
      );
      await sql('INSERT INTO eventcore_events SELECT * FROM aside', 'DROP TABLE aside');
      await sql(
        'PRAGMA writable_schema = ON',
        `INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
           VALUES ('index', '${STREAM_INDEX}', '${table}', ${rootpage}, '${text}')`,
      );
      return [STREAM_INDEX];
    },
    expect: {
      rung: 'streams',
      reports: ['index_agrees', 'index_structure', 'stream_gaps', 'stream_gap'],
      repair: REBUILT,
    },
  },
  {
    name: 'the index that keeps versions unique is gone, in SQLite',
    does: async ({ sql }) => {
      await sql(`DROP INDEX ${STREAM_INDEX}`);
      return [STREAM_INDEX];
    },
    expect: { rung: 'catalog', reports: ['indexes'], repair: REBUILT },
  },
  {
    name: 'a bad merge left an event twice, with two ids at one version, in SQLite',
    does: async ({ sql }) => {
      await sql(
        `DROP INDEX ${STREAM_INDEX}`,
        `INSERT INTO eventcore_events SELECT ${NEW_ID}, stream_id, stream_version, event_type, event_data, metadata,
           created_at FROM eventcore_events WHERE stream_id = 'parcel-3' AND stream_version = 3`,
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
    name: 'a tool made the table anew without its keys',
    does: async ({ sql }) => {
      await sql(
        'CREATE TABLE other AS SELECT * FROM eventcore_events',
        'DROP TABLE eventcore_events',
        'ALTER TABLE other RENAME TO eventcore_events',
      );
      return ['eventcore_events'];
    },
    expect: {
      rung: 'catalog',
      reports: ['indexes', 'constraints'],
      repair: refused(
        /takes a new table: restore into a new file/,
        'restore into a new file: `eventcore restore --to sqlite:./new.db`',
        'the indexes that can be made are made',
      ),
    },
  },
];
