import type { EventRows, Key, KeyRange } from './event-rows.ts';
import { mayHoldOdd, readOddEvent, readPiece } from './pieces.ts';

/** Events one behind the other, as pieces hold them, in memory that is filled again and again. */
export interface Block {
  /** The first `used` bytes hold events; shared memory when the block is for another thread. */
  bytes: Uint8Array;
  used: number;
  events: number;
  /** How many events the next piece may have, and about how many bytes each: from what was read before. */
  pace: Pace;
}

export interface Pace {
  readonly limit: number;
  readonly eventBytes: number;
}

/** Pieces of this size fit a processor's cache on their way through SQLite. */
const PIECE_BYTES = 131_072;
const MAX_LIMIT = 4096;
/** The next piece may have this many times the events of the one before. */
const MAX_GROWTH = 4;
/** A piece with an odd event in it is read anew with so many times fewer events, until that one is alone. */
const SHRINK = 4;
/** A block may be this much larger than asked for. */
const TOLERANCE = 1.25;
/** A block this full takes no more. */
const FULL = 0.9;

export const FIRST_PACE: Pace = { limit: 64, eventBytes: 512 };

/** Memory for a block of the usual sort; it grows where an event is larger. */
export function blockCapacity(blockBytes: number): number {
  return Math.ceil(blockBytes * TOLERANCE);
}

/**
 * Fills a block with about `blockBytes` (or one event) from the beginning of a range. Gives the key of the last event, null
 * when there was none. Throws `store_unsupported` for an event that cannot be kept exactly.
 */
export function fillBlock(
  rows: EventRows,
  range: KeyRange,
  blockBytes: number,
  block: Block,
  address: string,
): Key | null {
  block.used = 0;
  block.events = 0;
  const { last } = range;
  let read: Key | null = null;
  while (block.used < blockBytes * FULL) {
    const rest = { after: read ?? range.after, last };
    const limit = nextLimit(block, blockBytes);
    const piece = readPiece(rows, rest, limit);
    if (piece === null) break;
    const room = blockBytes * TOLERANCE - block.used;
    const isOdd = mayHoldOdd(piece);
    if (piece.events > 1 && (isOdd || piece.bytes.length > room)) {
      block.pace = { ...block.pace, limit: Math.ceil(piece.events / SHRINK) };
      continue;
    }
    const parts = isOdd ? readOddEvent(rows, rest, address) : [piece.bytes];
    const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (sizeBytes > room && block.used > 0) break;
    append(block, parts, sizeBytes, piece.events);
    block.pace = paceAfter(block.pace, sizeBytes / piece.events);
    read = piece.last;
  }
  return read;
}

function nextLimit({ used, pace }: Block, blockBytes: number): number {
  return Math.max(1, Math.min(pace.limit, Math.ceil((blockBytes - used) / pace.eventBytes)));
}

function paceAfter({ limit }: Pace, eventBytes: number): Pace {
  const fitting = Math.ceil(PIECE_BYTES / Math.max(1, eventBytes));
  return { limit: Math.min(MAX_LIMIT, limit * MAX_GROWTH, fitting), eventBytes: Math.max(1, eventBytes) };
}

function append(block: Block, parts: readonly Uint8Array[], sizeBytes: number, events: number): void {
  if (block.used + sizeBytes > block.bytes.length) grow(block, block.used + sizeBytes);
  for (const part of parts) {
    block.bytes.set(part, block.used);
    block.used += part.length;
    release(part);
  }
  block.events += events;
}

/** SQLite's values are in memory of their own, which would otherwise stand until a collection. */
function release({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** More memory of the same sort. */
function grow(block: Block, atLeast: number): void {
  const old = block.bytes;
  const capacity = Math.max(atLeast, old.length * 2);
  const isShared = old.buffer instanceof SharedArrayBuffer;
  block.bytes = new Uint8Array(isShared ? new SharedArrayBuffer(capacity) : new ArrayBuffer(capacity));
  block.bytes.set(old.subarray(0, block.used));
}
