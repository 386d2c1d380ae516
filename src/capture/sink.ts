import { BackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import type { EncodedBlock } from '../format/log-block.ts';
import { logFileName, positionText } from '../format/log-name.ts';
import { type LogFileWriter, openLogFile, writeLogFile, writeQuietMark } from '../format/log-writer.ts';

export interface LogPiece {
  readonly folder: string;
  readonly from: bigint;
  readonly blocks: readonly EncodedBlock[];
  readonly sizeBytes: number;
}

/** Where log files go. What `write` or `commit` resolved for is durable. */
export interface LogSink {
  write(piece: LogPiece): Promise<void>;
  /** A file that is written block by block. */
  openLong(folder: string, from: bigint, to: bigint): Promise<LogFileWriter>;
  /** That nothing was committed, by a block without transactions. Where files wait it need not be written. */
  markQuiet(folder: string, block: EncodedBlock): Promise<void>;
}

export function vaultSink(vault: Vault): LogSink {
  return {
    write: async ({ folder, from, blocks }) => {
      await requireAlone(vault, folder, from);
      await writeLogFile(vault, folder, from, blocks);
    },
    openLong: async (folder, from, to) => {
      await requireAlone(vault, folder, from);
      return openLogFile(vault, folder, from, to);
    },
    markQuiet: async (folder, block) => {
      await requireAlone(vault, folder, block.header.to!);
      await writeQuietMark(vault, folder, block);
    },
  };
}

/** Two archivers of one store would write the same changes twice, in files whose names differ. */
async function requireAlone(vault: Vault, folder: string, from: bigint): Promise<void> {
  for await (const { name } of vault.list(`${folder}${positionText(from)}-`)) {
    // Marks of a begin, of a gap and of quiet are no part of it.
    if (name === folder + logFileName(from, from) || /\.(gap|quiet)$/.test(name)) continue;
    throw new BackupError('lease_held', `another archiver writes this log: ${name} is there already`, {
      hint: 'one `eventcore archive` for each store and vault; stop the other one, or this one',
      facts: { object: name },
    });
  }
}
