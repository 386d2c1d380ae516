import type { EventBatch } from '../../../src/core/event-batch.ts';
import { chunkCodec } from '../../../src/format/chunk-codec.ts';
import {
  cut,
  giveBack,
  makeReceiver,
  received,
  room,
  setBatchBytes,
} from '../../../src/stores/postgres/change-receiver.ts';
import { makeRows } from '../../../src/stores/postgres/change-rows.ts';
import { makeCopyDecoder, requireEnd } from '../../../src/stores/postgres/copy-decoder.ts';
import { makePgoutputDecoder, readChange } from '../../../src/stores/postgres/pgoutput-decoder.ts';
import type { Random } from '../../../src/testing/random.ts';
import { batchesFrom, encode, message, messages, withBlocks } from '../../stores/postgres/copy-bytes.ts';
import {
  begin,
  change,
  commit,
  keepalive,
  RELATION,
  relation,
  transaction,
} from '../../stores/postgres/pgoutput-messages.ts';
import { mutate, pick } from '../engine/mutate.ts';
import { demand, type FuzzTarget } from '../engine/target.ts';

/** What a server sends, in pieces: the first two bytes say how large a buffer is and where the pieces end. */
const HEAD_BYTES = 2;
const BUFFER_BYTES = [64, 200, 1 << 10, 64 << 10] as const;

function pieces(input: Uint8Array): { bytes: Uint8Array; bufferBytes: number; cuts: number[] } {
  const bytes = input.subarray(HEAD_BYTES);
  const step = 1 + (input[1]! % 97) * 7;
  const cuts = Array.from(
    { length: Math.min(400, Math.floor(bytes.length / step)) },
    (_, i) => (i + 1) * step,
  );
  return { bytes, bufferBytes: BUFFER_BYTES[input[0]! % BUFFER_BYTES.length]!, cuts };
}

function cutInto(bytes: Uint8Array): Uint8Array[] {
  return [0, 1, 2, 3].map((size) => Buffer.concat([Uint8Array.of(size, 13 * size), bytes]));
}

const encoder = chunkCodec('columns');
const decoder = chunkCodec('columns');

/** A batch must be one that can be encoded: every value lies within its bytes. */
function useBatch(batch: EventBatch): void {
  const { bytes, count } = batch;
  for (const name of ['id', 'stream', 'type', 'data', 'metadata'] as const) {
    const { starts, lengths } = batch[name];
    for (let row = 0; row < count; row += 1) {
      const length = lengths[row]!;
      demand(
        length === 0xffff_ffff || starts[row]! + length <= bytes.length,
        `${name} lies within the batch`,
      );
    }
  }
  demand(decoder.decode(encoder.encode(batch)).count === count, 'a batch can be written to a chunk');
}

const EVENTS = [
  { streamId: 'account-1', version: 1, type: 'Opened', data: '{"a": 1}', time: 849_000_000_000_000n },
  { streamId: 'account-2', version: 1, type: 'Opened', data: '{"b": "é"}', metadata: null },
  { streamId: 'account-1', version: 2, type: 'Closed', data: `"${'x'.repeat(300)}"` },
];

/** Changes one message and what its head says of its length. */
function reshapeMessages(random: Random, seed: Uint8Array): Uint8Array {
  const found = cutMessages(Buffer.from(seed.subarray(HEAD_BYTES)));
  if (found.length === 0) return seed;
  const at = random.below(found.length);
  const { type, content } = found[at]!;
  switch (random.below(8)) {
    case 0:
      found.splice(at, 1);
      break;
    case 1:
      found.splice(random.below(found.length + 1), 0, pick(random, found));
      break;
    case 2:
      found[at] = { type: pick(random, ['d', 'd', 'c', 'C', 'E', 'Z', 'N', 'W']), content };
      break;
    default: {
      // The message, but not the head that the stream of changes puts before each.
      const keep = random.below(4) === 0 ? 0 : Math.min(content.length, content[0] === 0x77 ? 25 : 0);
      const changed = mutate(random, content.subarray(keep), [pick(random, found).content.subarray(keep)]);
      found[at] = { type, content: Buffer.concat([content.subarray(0, keep), changed]) };
    }
  }
  const all = found.map((one) => message(one.type, one.content));
  if (all.length > 0 && random.below(10) === 0) pick(random, all).writeUInt32BE(pick(random, LENGTHS), 1);
  return Buffer.concat([Uint8Array.of(random.below(4), random.below(97)), ...all]);
}

/** What a message may say of its own length. */
const LENGTHS = [0, 3, 4, 5, 0x1_0000, 0x400_0000, 0x3fff_ffff, 0x7fff_fffe, 0x7fff_ffff, 0xffff_ffff];

interface Message {
  readonly type: string;
  readonly content: Buffer;
}

function cutMessages(bytes: Buffer): Message[] {
  const found: Message[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    found.push({ type: String.fromCharCode(bytes[at]!), content: bytes.subarray(at + 5, end) });
    if (end <= at) break;
    at = end;
  }
  return found;
}

function copyTarget(hasPlaces: boolean): FuzzTarget {
  return {
    name: hasPlaces ? 'copy-binary-places' : 'copy-binary',
    refusals: ['store_unsupported', 'store_unreachable'],
    seeds: () => {
      const copy = encode(EVENTS.map((event) => ({ ...event, metadata: '{}' })));
      const sent = hasPlaces ? withBlocks(copy, [0, 0, 7]) : copy;
      return [
        ...cutInto(messages(sent)),
        ...cutInto(Buffer.concat([messages(sent), message('C', Buffer.from('COPY 3\0'))])),
      ];
    },
    reshape: reshapeMessages,
    run: (input) => {
      if (input.length < HEAD_BYTES) return false;
      const { bytes, bufferBytes, cuts } = pieces(input);
      const copy = makeCopyDecoder(bufferBytes, () => undefined, hasPlaces);
      for (const batch of batchesFrom(copy, bytes, cuts)) useBatch(batch);
      requireEnd(copy);
      return true;
    },
  };
}

const UUID = '00000000-0000-7000-8000-000000000009';
const SENT = {
  usual: Buffer.concat([
    relation(),
    transaction({
      ...{ xid: 7, commit: 100n, time: 5n },
      changes: EVENTS.map((event) => ({ kind: 'insert' as const, event })),
    }),
    keepalive(200n, true),
  ]),
  removing: Buffer.concat([
    relation(),
    transaction({
      ...{ xid: 8, commit: 300n, time: 6n },
      changes: [
        { kind: 'update', event: EVENTS[0]!, oldId: UUID },
        { kind: 'update', event: EVENTS[1]!, oldId: null },
        { kind: 'delete', id: UUID },
        { kind: 'truncate' },
        { kind: 'elsewhere' },
      ],
    }),
    transaction({ xid: 9, commit: 400n, time: 7n, changes: [{ kind: 'elsewhere' }] }),
  ]),
  open: Buffer.concat([
    relation(),
    begin({ xid: 7, commit: 100n, time: 5n }),
    ...EVENTS.map((event) => change({ kind: 'insert', event })),
    ...EVENTS.map((event) => change({ kind: 'insert', event })),
    commit({ xid: 7, commit: 100n, time: 5n }),
  ]),
};

/** The receiver throws where it does not know a message, and what it refuses, the session ends with. */
const replication: FuzzTarget = {
  name: 'replication',
  refusals: ['store_unsupported', 'feed_lost'],
  seeds: () => [SENT.usual, SENT.removing, SENT.open].flatMap(cutInto),
  reshape: reshapeMessages,
  run: (input) => {
    if (input.length < HEAD_BYTES) return false;
    const { bytes, bufferBytes, cuts } = pieces(input);
    const receiver = makeReceiver(RELATION, 50n, bufferBytes, {
      message: () => undefined,
      replyRequested: () => undefined,
    });
    const take = (): void => {
      for (let taken = cut(receiver); taken !== null; taken = cut(receiver)) {
        useBatch(taken.batch.events);
        giveBack(receiver, taken.rows);
        if (!receiver.isDue) break;
      }
    };
    let from = 0;
    for (const end of [...cuts, bytes.length]) {
      while (from < end) {
        const space = room(receiver);
        const part = bytes.subarray(from, Math.min(end, from + space.length));
        space.set(part);
        received(receiver, part.length, 0);
        from += part.length;
        if (receiver.isDue) take();
      }
      if (end % 5 === 0) setBatchBytes(receiver, bufferBytes * 2, 0);
    }
    take();
    return true;
  },
};

/** Messages one by one, in a buffer of exactly their length: nothing behind one may be read. */
const pgoutput: FuzzTarget = {
  name: 'pgoutput',
  refusals: ['store_unsupported', 'feed_lost'],
  // A transaction that has ended is none that a later one ends.
  seeds: () =>
    cutMessages(SENT.removing)
      .slice(0, 8)
      .map(({ content }) => content.subarray(25)),
  run: (input) => {
    const rows = makeRows(Math.max(1, input.length));
    rows.bytes.set(input);
    const all = makePgoutputDecoder(RELATION, 50n);
    // Rows need their table, and changes a transaction.
    all.fields = Int8Array.from([0, 1, 2, 3, 4, 5, 6]);
    if (input[0] !== 0x42) {
      all.transaction = { xid: 7, commit: 300n, time: 5n, isKnown: false, isListed: false };
    }
    readChange(all, rows, 0, input.length);
  },
};

export const SERVER_TARGETS: readonly FuzzTarget[] = [
  copyTarget(false),
  copyTarget(true),
  replication,
  pgoutput,
];
