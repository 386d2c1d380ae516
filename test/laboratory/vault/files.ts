import { freeze } from '../../../src/upkeep/freeze.ts';
import { testClock } from '../../harness/memory-backup.ts';
import { type Damage, refused, repaired } from '../damage.ts';
import type { VaultSpecimen } from './specimen.ts';
import { change, chunksOf, exchange, fileOf, flipByte, replace } from './tamper.ts';

const FROM_REPLICA = repaired('`verify --heal`: the object is taken from the replica, proven by its digest');
/** What builds on a backup that is not sound is not sound either. */
const CHILDREN = ['first: chain_broken', 'second: chain_broken'];

/** Damage to the files of backups, as disks, tools and people do it. */
export const FILE_DAMAGE: readonly Damage<VaultSpecimen>[] = [
  {
    name: 'a byte of an event file is flipped',
    does: async (specimen) => {
      const file = fileOf(specimen, 'full');
      const [, second] = await chunksOf(specimen.vault, file);
      await flipByte(specimen.vault, file.object, second!.offset + 7);
      return [file.name, 'chunk 1'];
    },
    expect: {
      rung: 'checksum',
      reports: ['full: chunk_checksum', 'full: file_checksum', ...CHILDREN],
      repair: FROM_REPLICA,
    },
  },
  {
    name: 'the last chunk of an event file is lost',
    does: async (specimen) => {
      const file = fileOf(specimen, 'full');
      const last = (await chunksOf(specimen.vault, file)).at(-1)!;
      await change(specimen.vault, file.object, (bytes) => bytes.subarray(0, last.offset));
      return [file.name, String(last.offset), String(file.sizeBytes)];
    },
    expect: { rung: 'size', reports: ['full: file_size', ...CHILDREN], repair: FROM_REPLICA },
  },
  {
    name: 'bytes are added to an event file',
    does: async (specimen) => {
      const file = fileOf(specimen, 'first');
      await change(specimen.vault, file.object, (bytes) => Buffer.concat([bytes, bytes.subarray(-1)]));
      return [file.name, String(file.sizeBytes + 1)];
    },
    expect: {
      rung: 'size',
      reports: ['first: file_size', 'second: chain_broken'],
      repair: FROM_REPLICA,
    },
  },
  {
    name: 'an event file is empty',
    does: async (specimen) => {
      const file = fileOf(specimen, 'other');
      await change(specimen.vault, file.object, (bytes) => bytes.subarray(0, 0));
      return [file.name, '0 bytes'];
    },
    expect: { rung: 'size', reports: ['other: file_size'], repair: FROM_REPLICA },
  },
  {
    name: 'an event file is gone',
    does: async (specimen) => {
      const file = fileOf(specimen, 'second');
      await specimen.vault.removeObject(file.object);
      return [file.name];
    },
    expect: { rung: 'existence', reports: ['second: file_missing'], repair: FROM_REPLICA },
  },
  {
    name: 'a chunk stands in the place of another one of the same file',
    does: async (specimen) => {
      const file = fileOf(specimen, 'first');
      const [one, other] = await chunksOf(specimen.vault, file);
      await change(specimen.vault, file.object, (bytes) => {
        const length = Math.min(one!.storedBytes, other!.storedBytes);
        const place = bytes.subarray(other!.offset, other!.offset + length);
        place.set(bytes.subarray(one!.offset, one!.offset + length));
        return bytes;
      });
      return [file.name, 'chunk 1'];
    },
    expect: {
      rung: 'checksum',
      reports: ['first: chunk_checksum', 'first: file_checksum', 'second: chain_broken'],
      repair: FROM_REPLICA,
    },
  },
  {
    name: 'the event files of two backups are exchanged',
    does: async (specimen) => {
      const [one, other] = [fileOf(specimen, 'full'), fileOf(specimen, 'other')];
      await exchange(specimen.vault, one.object, other.object);
      return [one.name, other.name];
    },
    expect: {
      rung: 'size',
      reports: [
        ...['full: file_size', 'full: chunk_checksum', 'full: file_checksum', 'other: file_size'],
        ...CHILDREN,
      ],
      repair: FROM_REPLICA,
    },
  },
  {
    name: 'a byte of a chunk table is flipped',
    does: async (specimen) => {
      const file = fileOf(specimen, 'full');
      await flipByte(specimen.vault, file.table, file.index.sizeBytes - 20);
      return [file.index.name];
    },
    expect: { rung: 'size', reports: ['full: index_damaged', ...CHILDREN], repair: FROM_REPLICA },
  },
  {
    name: 'a chunk table is replaced by that of another backup',
    does: async (specimen) => {
      const file = fileOf(specimen, 'full');
      await replace(specimen.vault, file.table, fileOf(specimen, 'other').table);
      return [file.index.name];
    },
    expect: { rung: 'size', reports: ['full: file_size', ...CHILDREN], repair: FROM_REPLICA },
  },
  {
    name: 'the heads of a chain are replaced by those of another backup',
    does: async (specimen) => {
      const file = fileOf(specimen, 'full', 'heads');
      await replace(specimen.vault, file.object, fileOf(specimen, 'other', 'heads').object);
      return [file.name];
    },
    expect: {
      rung: 'size',
      reports: ['full: file_size', 'full: chunk_checksum', 'full: file_checksum', ...CHILDREN],
      repair: FROM_REPLICA,
    },
  },
  {
    name: 'a byte of the heads is flipped',
    does: async (specimen) => {
      const file = fileOf(specimen, 'other', 'heads');
      await flipByte(specimen.vault, file.object, file.sizeBytes >> 1);
      return [file.name];
    },
    expect: {
      rung: 'checksum',
      reports: ['other: chunk_checksum', 'other: file_checksum'],
      repair: FROM_REPLICA,
    },
  },
  {
    name: 'an event file is damaged in the vault and in its replica',
    does: async (specimen) => {
      const file = fileOf(specimen, 'other');
      for (const vault of [specimen.vault, specimen.replica])
        await flipByte(vault, file.object, file.sizeBytes >> 1);
      return [file.name];
    },
    expect: {
      rung: 'checksum',
      reports: ['other: chunk_checksum', 'other: file_checksum'],
      repair: refused(
        /no other vault has it as it should be/,
        'the events of other chunks stay readable (`restore --stream`); what the store still has is in the next full backup',
      ),
    },
  },
  {
    name: 'an event file is damaged in the vault and in its replica, and the store has its events',
    does: async (specimen) => {
      const file = fileOf(specimen, 'other');
      for (const vault of [specimen.vault, specimen.replica])
        await flipByte(vault, file.object, file.sizeBytes >> 1);
      return [file.name];
    },
    expect: {
      rung: 'checksum',
      reports: ['other: chunk_checksum', 'other: file_checksum'],
      repairWith: ['--from-store'],
      repair: repaired('`verify --heal --from-store`: the file is made anew of the store, to the byte'),
    },
  },
  {
    name: 'an event file is damaged in a vault that is frozen',
    does: async (specimen) => {
      const { object, name } = fileOf(specimen, 'second');
      await flipByte(specimen.vault, object, 30);
      const mark = { reason: 'incident 7', software: 'test' };
      await freeze({ vault: specimen.vault, clock: testClock }, mark);
      return [name];
    },
    expect: {
      rung: 'checksum',
      reports: ['second: chunk_checksum', 'second: file_checksum'],
      repair: refused(/the vault is frozen/, '`eventcore freeze off`, then `eventcore verify --heal`'),
    },
  },
];
