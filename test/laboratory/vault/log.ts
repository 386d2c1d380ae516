import { type Damage, harmless, repaired } from '../damage.ts';
import type { VaultSpecimen } from './specimen.ts';
import { change, exchange, flipByte } from './tamper.ts';

const FROM_REPLICA = repaired('`verify --heal`: the file is taken from the replica, proven by its blocks');

function files({ log }: VaultSpecimen) {
  return log.spans.flatMap((span) => span.files);
}

/** Damage to the change log. */
export const LOG_DAMAGE: readonly Damage<VaultSpecimen>[] = [
  {
    name: 'a file of the log is gone from the middle',
    does: async (specimen) => {
      const file = files(specimen)[2]!;
      await specimen.vault.removeObject(file.name);
      return [file.name.slice(specimen.log.folder.length).split('-')[0]!];
    },
    expect: { rung: 'size', reports: ['log: log_broken'], repair: FROM_REPLICA },
  },
  {
    name: 'a byte of a block of the log is flipped',
    does: async (specimen) => {
      const file = files(specimen)[2]!;
      await flipByte(specimen.vault, file.name, file.sizeBytes - 5);
      return [file.name];
    },
    expect: { rung: 'checksum', reports: ['log: log_damaged'], repair: FROM_REPLICA },
  },
  {
    name: 'a file of the log is cut short',
    does: async (specimen) => {
      const file = files(specimen)[3]!;
      await change(specimen.vault, file.name, (bytes) => bytes.subarray(0, bytes.length - 100));
      return [file.name];
    },
    expect: { rung: 'checksum', reports: ['log: log_damaged'], repair: FROM_REPLICA },
  },
  {
    name: 'two files of the log are exchanged',
    does: async (specimen) => {
      const [one, other] = [files(specimen)[1]!, files(specimen)[3]!];
      await exchange(specimen.vault, one.name, other.name);
      return [one.name, other.name];
    },
    expect: { rung: 'checksum', reports: ['log: log_damaged'], repair: FROM_REPLICA },
  },
  {
    name: 'the newest file of the log is gone',
    does: async (specimen) => {
      await specimen.vault.removeObject(files(specimen).at(-1)!.name);
      return [];
    },
    expect: {
      rung: null,
      reports: [],
      repair: harmless(
        'no window is claimed that cannot be recovered: `list` ends it earlier, the archiver begins again where the log ends',
      ),
    },
  },
];
