import { BackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { type FileDigest, makeFileDigest } from './file-digest.ts';
import type { LogFile } from './log-catalog.ts';
import { type BlockHeader, decodeHeader, decodePrefix, PREFIX_BYTES } from './log-header.ts';
import { readLogBlocks } from './log-reader.ts';

/** Every byte of these files is held by a digest, and each block follows the one before. Throws `damaged`. No key is needed. */
export async function checkLogFiles(
  vault: Vault,
  files: readonly LogFile[],
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const block of readLogBlocks(vault, files, { windowBytes: WINDOW_BYTES, signal })) {
    await block.checkDigests();
  }
}

const WINDOW_BYTES = 4 << 20;

/** Checks the bytes of a file of a log as they pass by. */
export interface PassingLog {
  /** Throws `damaged`. */
  update(bytes: Uint8Array): void;
  /** Throws `damaged` when the file ends inside of a block, or not where its name says. */
  end(): void;
}

/** What is read next: the beginning of a block, its header, or one of its parts. */
type Awaited =
  | { readonly what: 'prefix' }
  | { readonly what: 'header'; readonly digest: string }
  | { readonly what: 'part'; readonly digest: FileDigest; readonly sha256: string };

/**
 * Headers and parts of a file must have their digests, and the last block must end at `to`. Holds no more than a header in memory.
 * How blocks follow one another is for a verification.
 */
export function passingLog(to: bigint): PassingLog {
  let awaited: Awaited = { what: 'prefix' };
  let left = PREFIX_BYTES;
  let held: Uint8Array[] = [];
  let parts: BlockHeader['parts'] = [];
  let last: BlockHeader | null = null;
  const nextPart = (): void => {
    const [part, ...rest] = parts;
    parts = rest;
    awaited =
      part === undefined
        ? { what: 'prefix' }
        : { what: 'part', digest: makeFileDigest(), sha256: part.sha256 };
    left = part?.storedBytes ?? PREFIX_BYTES;
  };
  const finish = (): void => {
    const bytes = Buffer.concat(held);
    held = [];
    if (awaited.what === 'prefix') {
      const { headerBytes, digest } = decodePrefix(bytes);
      awaited = { what: 'header', digest };
      left = headerBytes;
      return;
    }
    if (awaited.what === 'header') {
      last = decodeHeader(bytes, awaited.digest);
      parts = last.parts;
    } else if (awaited.digest.hex() !== awaited.sha256) {
      throw new BackupError('damaged', 'a part of a block does not have its checksum');
    }
    nextPart();
  };
  return {
    update: (bytes) => {
      for (let at = 0; at < bytes.length; ) {
        const piece = bytes.subarray(at, at + left);
        if (awaited.what === 'part') awaited.digest.update(piece);
        // The caller may use its bytes again.
        else held.push(Uint8Array.from(piece));
        at += piece.length;
        left -= piece.length;
        while (left === 0) finish();
      }
    },
    end: () => {
      if (awaited.what !== 'prefix' || left !== PREFIX_BYTES) {
        throw new BackupError('damaged', 'the file ends inside of a block');
      }
      if (last?.to !== to) throw new BackupError('damaged', 'the file does not end where its name says');
    },
  };
}
