import { BackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import type { EncodedBlock } from './log-block.ts';
import { logFileName, quietFileName } from './log-name.ts';

/** A file of the log that is being written block by block, its name known beforehand. */
export interface LogFileWriter {
  /** The whole name of the object. */
  readonly name: string;
  readonly sizeBytes: number;
  add(block: EncodedBlock): Promise<void>;
  /** Makes the file durable, then visible. Throws `internal` when its last block does not end where its name says. */
  commit(): Promise<void>;
  /** Leaves no trace. */
  abort(): Promise<void>;
}

/** Starts the file of all that commits from `from` on and before `to`. Throws `vault_object_exists`. */
export async function openLogFile(
  vault: Vault,
  folder: string,
  from: bigint,
  to: bigint,
): Promise<LogFileWriter> {
  const name = folder + logFileName(from, to);
  const object = await vault.createObject(name);
  let end: bigint | null = null;
  let sizeBytes = 0;
  return {
    name,
    get sizeBytes() {
      return sizeBytes;
    },
    async add(block) {
      for (const part of block.parts) await object.write(part);
      sizeBytes += block.sizeBytes;
      end = block.header.to;
    },
    async commit() {
      if (end !== to)
        throw new BackupError('internal', `the blocks of ${name} end at ${String(end)}, not ${to}`);
      await object.commit();
    },
    abort: () => object.abort(),
  };
}

/** Writes a whole file. The last block says where it ends. Throws `vault_object_exists`. */
export async function writeLogFile(
  vault: Vault,
  folder: string,
  from: bigint,
  blocks: readonly EncodedBlock[],
): Promise<{ name: string; from: bigint; to: bigint; sizeBytes: number }> {
  const to = blocks.at(-1)?.header.to ?? null;
  if (to === null) throw new BackupError('internal', 'a file of the log ends where no transaction is open');
  const file = await openLogFile(vault, folder, from, to);
  try {
    for (const block of blocks) await file.add(block);
    await file.commit();
  } catch (error) {
    await file.abort();
    throw error;
  }
  return { name: file.name, from, to, sizeBytes: file.sizeBytes };
}

/** Writes that nothing was committed behind the last block up to the time of this one, which has no transaction. */
export async function writeQuietMark(vault: Vault, folder: string, block: EncodedBlock): Promise<void> {
  const { to, asOf } = block.header;
  const object = await vault.createObject(folder + quietFileName(to!, asOf));
  try {
    for (const part of block.parts) await object.write(part);
    await object.commit();
  } catch (error) {
    await object.abort();
    throw error;
  }
}
