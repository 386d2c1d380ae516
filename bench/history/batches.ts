import type { EventBatch } from '../../src/core/event-batch.ts';
import { timeFromUnixMs } from '../../src/core/time.ts';
import { UUID_BYTES } from '../../src/core/uuid-text.ts';
import { addEvent, closeBatch, makeOpenBatch } from '../../src/testing/open-batch.ts';
import { type Chance, unixMs } from './chance.ts';
import { nextType } from './event-types.ts';
import { takeVersion } from './streams.ts';
import { MAX_TRANSACTION, makeMetadata, nextTransaction, openBusiness } from './transactions.ts';

export interface HistoryOptions {
  /** The same seed and number give the same events. */
  readonly seed: number;
  /** How many events, exactly. */
  readonly events: number;
  /** About how large a batch becomes. */
  readonly batchBytes: number;
}

/** No event takes fewer bytes, nor more. */
const LEAST_EVENT_BYTES = 256;
const MOST_EVENT_BYTES = 4096;

/**
 * The events that everything is measured with, in the order in which they were recorded, as batches. A batch is valid
 * until the next one is asked for: its buffers are used again. Memory follows the streams that are alive, not the events.
 */
export function* generateHistory({ seed, events, batchBytes }: HistoryOptions): Generator<EventBatch> {
  const business = openBusiness(seed, events);
  const capacity = MAX_TRANSACTION + Math.ceil(batchBytes / LEAST_EVENT_BYTES);
  const open = makeOpenBatch(capacity, batchBytes + MAX_TRANSACTION * MOST_EVENT_BYTES);
  const { chance } = business;
  for (let left = events; left > 0; ) {
    const streams = nextTransaction(business).slice(0, left);
    left -= streams.length;
    const time = timeFromUnixMs(chance.nowUs / 1000) + BigInt(chance.nowUs % 1000);
    startIds(chance);
    for (const [place, stream] of streams.entries()) {
      const type = nextType(chance, stream);
      const data = type.data(chance, stream);
      const metadata = makeMetadata(business);
      const version = takeVersion(stream);
      const id = makeId(chance, place);
      addEvent(open, { id, stream: stream.name, version, type: type.name, data, metadata, time });
    }
    if (open.at >= batchBytes || open.count + MAX_TRANSACTION > capacity) yield closeBatch(open);
  }
  if (open.count > 0) yield closeBatch(open);
}

const idBytes = new Uint8Array(UUID_BYTES);
const idWords = new DataView(idBytes.buffer);
let firstPlace = 0;

/** What the ids of a transaction share: a millisecond shortly before it commits, and a random start of their count. */
function startIds(chance: Chance): void {
  const ms = unixMs(chance, chance.random.below(4));
  idWords.setUint16(0, Math.floor(ms / 0x1_0000_0000));
  idWords.setUint32(2, ms % 0x1_0000_0000);
  firstPlace = chance.random.below(0x1000 - MAX_TRANSACTION);
}

/** A UUID of version 7, larger than the one before it in its transaction. Valid until the next call. */
function makeId({ random }: Chance, place: number): Uint8Array {
  idWords.setUint16(6, 0x7000 | (firstPlace + place));
  idWords.setUint32(8, (random.bits() & 0x3fff_ffff) | 0x8000_0000);
  idWords.setUint32(12, random.bits());
  return idBytes;
}
