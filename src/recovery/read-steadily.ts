import { BackupError, isBackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { type LogFile, readLogCatalog } from '../format/log-catalog.ts';
import { type LogBlock, readLogBlocks } from '../format/log-reader.ts';

interface ReadOptions {
  readonly windowBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

/** A log is compacted now and then; that it is each time a file is wanted means something else. */
const MOST_LOOKS = 100;

/**
 * Reads neighbouring files while an archiver may be joining some of them into longer ones: where one is gone, what holds the
 * same blocks now is found, and read from the same block on.
 */
export async function* readSteadily(
  vault: Vault,
  files: readonly LogFile[],
  options: ReadOptions = {},
): AsyncGenerator<LogBlock> {
  let rest = files;
  let from = null as bigint | null;
  /** Blocks that were given since the last one that ended a transaction. */
  let given = 0;
  for (let looks = 0; ; looks += 1) {
    let skip = given;
    try {
      for await (const block of readLogBlocks(vault, rest, from === null ? options : { ...options, from })) {
        if (skip > 0) {
          skip -= 1;
          continue;
        }
        const { to } = block.header;
        given = to === null ? given + 1 : 0;
        if (to !== null) from = to;
        yield block;
      }
      return;
    } catch (error) {
      if (!isGone(error) || looks === MOST_LOOKS) throw error;
      const found = await findAgain(vault, files, from ?? files[0]!.from);
      if (found === null) throw error;
      rest = found;
    }
  }
}

function isGone(error: unknown): boolean {
  return error instanceof BackupError && isBackupError(error.cause, 'vault_object_missing');
}

/** The files that hold now what these held from a position on; null when there are none, or still the same. */
async function findAgain(
  vault: Vault,
  files: readonly LogFile[],
  from: bigint,
): Promise<readonly LogFile[] | null> {
  const folder = files[0]!.name.slice(0, files[0]!.name.lastIndexOf('/') + 1);
  const { to } = files.at(-1)!;
  const timelines = await readLogCatalog(vault);
  const spans = timelines.find((timeline) => timeline.folder === folder)?.spans ?? [];
  const span = spans.find((each) => each.from <= from && each.to >= to);
  return span?.files.filter((file) => file.to > from && file.from < to) ?? null;
}
