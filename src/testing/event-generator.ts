import type { NewEvent, StreamAppend } from '../core/event.ts';
import type { EventBatch } from '../core/event-batch.ts';
import { timeFromUnixMs } from '../core/time.ts';
import { formatUuid } from '../core/uuid-text.ts';
import { addEvent, closeBatch, makeOpenBatch } from './open-batch.ts';
import { type Draft, nextTransaction, openShop, type Shop } from './shop.ts';

export interface GeneratorOptions {
  /** The same seed gives the same events. */
  readonly seed: number;
  /** How many events, exactly; the last transaction is cut where it would be more. */
  readonly events: number;
  /** Version of a stream's first event; 1 when left out. */
  readonly versionBase?: 0 | 1;
  /** Milliseconds since 1970 of the first event; the beginning of 2024 when left out. */
  readonly startMs?: number;
}

/** Realistic events, transaction by transaction: each yield is what one `append` writes. */
export function* generateAppends(options: GeneratorOptions): Generator<StreamAppend[]> {
  for (const { shop, drafts } of transactions(options)) {
    const ids = makeIds(shop, drafts.length);
    const metadata = makeMetadata(shop);
    const appends = new Map<string, { append: StreamAppend; events: NewEvent[] }>();
    drafts.forEach((draft, i) => {
      const { name } = draft.stream;
      const event: NewEvent = {
        id: formatUuid(ids, i * UUID_BYTES),
        type: draft.type,
        data: draft.data,
        metadata,
      };
      const known = appends.get(name);
      if (known !== undefined) {
        known.events.push(event);
        return;
      }
      const events = [event];
      const append = { streamId: name, expectedVersion: BigInt(draft.version - 1), events };
      appends.set(name, { append, events });
    });
    yield Array.from(appends.values(), ({ append }) => append);
  }
}

/**
 * The same events as `generateAppends` gives, as batches of about `batchBytes`, with the times of the made-up shop.
 * A batch is valid until the next one is asked for: its buffers are used again.
 */
export function* generateBatches(
  options: GeneratorOptions & { readonly batchBytes: number },
): Generator<EventBatch> {
  const capacity = Math.max(MAX_TRANSACTION, Math.ceil(options.batchBytes / LEAST_EVENT_BYTES));
  const open = makeOpenBatch(capacity, options.batchBytes + MAX_TRANSACTION * MOST_EVENT_BYTES);
  for (const { shop, drafts } of transactions(options)) {
    if (open.at >= options.batchBytes || open.count + drafts.length > capacity) yield closeBatch(open);
    const ids = makeIds(shop, drafts.length);
    const metadata = makeMetadata(shop);
    const time = timeFromUnixMs(shop.nowMs);
    for (let i = 0; i < drafts.length; i += 1) {
      const { stream, version, type, data } = drafts[i]!;
      const id = ids.subarray(i * UUID_BYTES, (i + 1) * UUID_BYTES);
      addEvent(open, { id, stream: stream.name, version, type, data, metadata, time });
    }
  }
  if (open.count > 0) yield closeBatch(open);
}

function* transactions(options: GeneratorOptions): Generator<{ shop: Shop; drafts: readonly Draft[] }> {
  const shop = openShop(options.seed, options.versionBase ?? 1, options.startMs);
  const result = { shop, drafts: [] as readonly Draft[] };
  let left = options.events;
  while (left > 0) {
    const drafts = nextTransaction(shop);
    result.drafts = drafts.length > left ? drafts.slice(0, left) : drafts;
    left -= result.drafts.length;
    yield result;
  }
}

const UUID_BYTES = 16;
/** No transaction of the shop writes more events. */
const MAX_TRANSACTION = 16;
/** No event of the shop takes fewer bytes. */
const LEAST_EVENT_BYTES = 256;
/** Nor more. */
const MOST_EVENT_BYTES = 4096;

const ids = new Uint8Array(MAX_TRANSACTION * UUID_BYTES);

/**
 * UUIDs of version 7 for the events of a transaction: its millisecond, which no other transaction has, the place in
 * it, and random bits. Valid until the next call.
 */
function makeIds({ random, nowMs }: Shop, count: number): Uint8Array {
  for (let i = 0; i < count; i += 1) {
    const at = i * UUID_BYTES;
    setWord(ids, at, Math.floor(nowMs / 0x1_0000));
    setWord(ids, at + 4, (nowMs % 0x1_0000) * 0x1_0000 + 0x7000 + i);
    setWord(ids, at + 8, ((random.bits() & 0x3fff_ffff) | 0x8000_0000) >>> 0);
    setWord(ids, at + 12, random.bits());
  }
  return ids;
}

function setWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}

/**
 * What applications keep beside an event: random ids of the request, of the command that caused it, and of who sent it.
 * The same for all events of a transaction.
 */
function makeMetadata({ random }: Shop): string {
  for (let at = 0; at < traceIds.length; at += 4) setWord(traceIds, at, random.bits());
  const [correlation, causation, user] = [0, 1, 2].map((i) => formatUuid(traceIds, i * UUID_BYTES));
  return `{"correlationId":"${correlation}","causationId":"${causation}","userId":"${user}"}`;
}

const traceIds = new Uint8Array(3 * UUID_BYTES);
