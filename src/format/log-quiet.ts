import { isBackupError } from '../core/errors.ts';
import { whyNotTrusted } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import type { LogFile, LogTimeline, QuietMark } from './log-catalog.ts';
import type { BlockHeader } from './log-header.ts';
import { findBlockSignature, type LogBlock, readingOf, readLogBlocks } from './log-reader.ts';

/** Marks are looked at from the newest on; what is not sound is no reason to read all of them. */
const MAX_TRIES = 8;

/** A mark, to be read as the file that it is. */
export function quietFile({ at, ...object }: QuietMark): LogFile {
  return { ...object, from: at, to: at };
}

/** The last block of a run. */
export interface RunEnd {
  readonly digest: string;
  readonly header: BlockHeader;
}

/**
 * Up to when a run that ends with this block is known to hold all: as of the block, or of the newest mark that names it. One
 * that cannot be read, or is not to be trusted, takes nothing away.
 */
export async function quietUntil(
  vault: Vault,
  timeline: LogTimeline,
  at: bigint,
  end: RunEnd,
): Promise<bigint> {
  const { asOf } = end.header;
  const later = timeline.quiet.filter((mark) => mark.at === at && mark.asOf > asOf);
  for (const mark of later.reverse().slice(0, MAX_TRIES)) {
    if (await holds(vault, timeline, mark, end)) return mark.asOf;
  }
  return asOf;
}

async function holds(vault: Vault, timeline: LogTimeline, mark: QuietMark, end: RunEnd): Promise<boolean> {
  try {
    for await (const block of readLogBlocks(vault, [quietFile(mark)], { keys: timeline.keys })) {
      if (!isAbout(block, mark) || block.header.previous !== end.digest) return false;
      if (end.header.sealing != null && block.header.sealing == null) return false;
      const { trust } = readingOf(timeline);
      if (trust !== undefined && whyNotTrusted(findBlockSignature(block.header, trust), trust) !== null)
        return false;
      await checkContents(block);
      return true;
    }
  } catch (error) {
    if (!isBackupError(error, 'damaged', 'store_unsupported', 'vault_object_missing')) throw error;
  }
  return false;
}

/** Whether a block is what the name of its mark says. */
export function isAbout({ header, number }: LogBlock, { at, asOf }: QuietMark): boolean {
  return number === 0 && header.transactions === 0 && header.to === at && header.asOf === asOf;
}

/** Who has no key takes the header's word, as for all else that it says. */
async function checkContents(block: LogBlock): Promise<void> {
  try {
    await block.transactions();
  } catch (error) {
    if (!isBackupError(error, 'key_missing', 'key_wrong')) throw error;
    await block.checkDigests();
  }
}
