import { type Damage, refused, repaired } from '../damage.ts';
import { changeFile, dataAt, linePointerAt, PAGE_BYTES, placeOfRow } from './pages.ts';
import type { StoreSpecimen } from './specimen.ts';

const EVENTS = "'eventcore_events'::regclass";
const PUT_BACK = repaired('events are put back as the chain has them; what was there is kept aside');
const ELSEWHERE =
  'restore into another database; what came behind the newest backup is in the change log, and readable stream by stream';
const REBUILT = repaired('the index is built anew');
/** The id of an event stands before its stream. */
const ID_BYTES = 16;
/** How a value of variable length begins (`varatt.h`). */
const COMPRESSED = 0b10;
const UNKNOWN_METHOD = 0xc000_0064;
const STREAM_BYTES = 40;

/** Damage to the files of a PostgreSQL server without checksums, done while it is down. */
export const POSTGRES_FILE_DAMAGE: readonly Damage<StoreSpecimen>[] = [
  {
    name: 'a bit of a payload is flipped on disk',
    does: async (specimen) => {
      await changeFile(specimen, EVENTS, (file) => {
        const at = file.indexOf('mark-2-4');
        file[at]! ^= 0x02;
      });
      return ['parcel-2', '4'];
    },
    expect: { rung: 'comparison', reports: ['event_changed'], repair: PUT_BACK },
  },
  {
    name: 'the head of a row is broken on disk, so that its block cannot be read',
    does: async (specimen) => {
      const place = await placeOfRow(specimen, 'parcel-2', 5);
      await changeFile(specimen, EVENTS, (file) => {
        const stream = dataAt(file, place) + ID_BYTES;
        // As if its name was compressed, in a way that nobody knows.
        file.writeUInt32LE((STREAM_BYTES << 2) | COMPRESSED, stream);
        file.writeUInt32LE(UNKNOWN_METHOD, stream + 4);
      });
      return ['block 0'];
    },
    expect: {
      rung: 'blocks',
      reports: ['block_unreadable', 'stream_duplicates'],
      mayAlso: /: cannot be read: /,
      repair: refused(/cannot be read: .*invalid compression method/, ELSEWHERE),
    },
  },
  {
    name: 'a block of the table is zeroed on disk',
    does: async (specimen) => {
      const { block } = await placeOfRow(specimen, 'parcel-1', 1);
      await changeFile(specimen, EVENTS, (file) => {
        file.fill(0, block * PAGE_BYTES, (block + 1) * PAGE_BYTES);
      });
      return ['eventcore_events_stream_version_idx'];
    },
    expect: {
      rung: 'streams',
      reports: ['index_agrees', 'stream_gap', 'stream_missing', 'stream_shortened'],
      mayAlso: /^stream_gaps: /,
      repair: repaired('the indexes are built anew, then missing events are added again from the chain'),
    },
  },
  {
    name: 'a part of a large payload is gone on disk',
    does: async (specimen) => {
      const [found] = await specimen.sql(
        "SELECT reltoastrelid AS toast FROM pg_class WHERE oid = 'eventcore_events'::regclass",
      );
      // The first row of the first block: a part of the first large payload.
      await changeFile(specimen, String(found!.toast), (file) => {
        file.writeUInt32LE(0, linePointerAt({ block: 0, pointer: 1 }));
      });
      return ['block 1'];
    },
    expect: {
      rung: 'blocks',
      reports: ['block_unreadable'],
      repair: refused(/block 1 of the events cannot be read/, ELSEWHERE),
    },
  },
  {
    name: 'a page of the index that keeps versions unique is zeroed on disk',
    does: async (specimen) => {
      await changeFile(specimen, "'eventcore_events_stream_version_idx'::regclass", (file) => {
        file.fill(0, PAGE_BYTES, 2 * PAGE_BYTES);
      });
      return ['eventcore_events_stream_version_idx'];
    },
    expect: {
      rung: 'streams',
      reports: ['index_agrees'],
      mayAlso: /cannot be read: /,
      repair: REBUILT,
    },
  },
];
