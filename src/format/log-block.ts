import crypto from 'node:crypto';
import type { ChangeBatch, FeedSource, Removal } from '../core/change-feed.ts';
import { awaitedLater } from '../core/concurrency.ts';
import { BackupError } from '../core/errors.ts';
import { type FactLimits, factsOf } from '../core/event-facts.ts';
import { idText } from '../core/event-id.ts';
import type { Signer } from '../core/key-ring.ts';
import type { ChunkFormat, Compression } from '../core/manifest.ts';
import { addBatch, makeStreamTable } from '../core/stream-table.ts';
import type { BundleSeal } from './bundle-seal.ts';
import { type ChunkCodec, chunkCodec } from './chunk-codec.ts';
import { type ChunkEvents, chunkEvents } from './chunk-index.ts';
import { type Compress, makeCompress } from './compression.ts';
import {
  type BlockHeader,
  type BlockPart,
  type BlockRole,
  boundDigest,
  encodeHeader,
  signedText,
} from './log-header.ts';
import { encodeTransactions, factsOfTransactions } from './log-transactions.ts';
import { releaseBytes } from './release.ts';
import { SEAL_BYTES, sealPiece } from './seal.ts';
import { signText } from './signature.ts';
import { makeFilter } from './stream-filter.ts';

export interface BlockOptions {
  readonly source: FeedSource;
  readonly format: ChunkFormat;
  readonly compression: Compression;
  readonly level: number | null;
  /** Digest of the block before in the log; null for the first one, and after a gap. May still be on its way. */
  readonly previous: string | null | Promise<string | null>;
  readonly limits: FactLimits;
  /** Null or left out: not sealed. */
  readonly seal?: BundleSeal | null;
  readonly signer?: Signer | null;
  /** Of `format`; one that is kept from block to block saves its buffers. */
  readonly codec?: ChunkCodec;
}

export interface EncodedBlock {
  /** One behind the other these are the block. */
  readonly parts: readonly Uint8Array[];
  readonly sizeBytes: number;
  /** What the next block calls `previous`. */
  readonly digest: string;
  readonly header: BlockHeader;
}

/**
 * One block of the log. The batch is read before this returns its promise, and may be given back then; the thread pool
 * compresses meanwhile.
 */
export async function encodeBlock(batch: ChangeBatch, options: BlockOptions): Promise<EncodedBlock> {
  const facts = factsOfBatch(batch);
  const previous = options.previous instanceof Promise ? awaitedLater(options.previous) : options.previous;
  const compress = chooseCompress(options);
  const encoded = encodeEvents(batch, options);
  const transactions = encodeTransactions(batch.transactions);
  const removals = encodeRemovals(batch.removals);
  const { count } = batch.transactions;
  const { to, asOf, horizon, isContinued, isOpen } = batch;
  const { source, format, compression, seal = null, signer = null } = options;
  const lastEvent = batch.events.count === 0 ? null : idText(batch.events, batch.events.count - 1);
  const made = await Promise.all([
    ...(encoded === null ? [] : makeEventParts(encoded, batch.events.count, compress, seal !== null)),
    makePart('transactions', transactions, count, compress),
    ...(batch.removals.length === 0 ? [] : [makePart('removals', removals, batch.removals.length, compress)]),
  ]);
  const described: BlockHeader = {
    previous: await previous,
    ...{ source, format, compression },
    ...{ to, asOf, horizon, transactions: count, isContinued, isOpen },
    ...{ firstCommit: facts.firstCommit, lastCommit: facts.lastCommit },
    ...{ earliest: facts.earliest, latest: facts.latest },
    parts: made.map(({ part }) => part),
  };
  if (seal === null) return putTogether(described, made, signer);
  const sealed = sealBlock(described, made, seal, lastEvent);
  return putTogether(sealed.header, sealed.made, signer);
}

/** Digests, then the signature, last of all the header. */
function putTogether(described: BlockHeader, made: readonly MadePart[], signer: Signer | null): EncodedBlock {
  const parts = made.map(({ part, bytes }) => ({ ...part, sha256: crypto.hash('sha256', bytes, 'hex') }));
  const hashed: BlockHeader = { ...described, parts };
  const header = signer === null ? hashed : { ...hashed, signature: signText(signer, signedText(hashed)) };
  const { bytes, digest } = encodeHeader(header);
  const sizeBytes = parts.reduce((sum, { storedBytes }) => sum + storedBytes, bytes.length);
  return { parts: [bytes, ...made.map((part) => part.bytes)], sizeBytes, digest, header };
}

function sealBlock(
  described: BlockHeader,
  made: readonly MadePart[],
  { data, memory, sealing }: BundleSeal,
  lastEvent: string | null,
): { header: BlockHeader; made: MadePart[] } {
  const grown = made.map(({ part, bytes }) => ({
    part: { ...part, storedBytes: bytes.length + SEAL_BYTES },
    bytes,
  }));
  const header: BlockHeader = {
    ...described,
    parts: grown.map(({ part }) => part),
    sealing: { ...sealing, lastEvent: null },
  };
  const file = boundDigest(header);
  const sealed = grown.map(({ part, bytes }, number) => {
    const piece = sealPiece(data, { file, number, isLast: number === grown.length - 1 }, bytes);
    releaseBytes(bytes);
    return { part, bytes: piece };
  });
  if (memory === null || lastEvent === null) return { header, made: sealed };
  const place = { file, number: grown.length, isLast: true };
  const remembered = Buffer.from(sealPiece(memory, place, Buffer.from(lastEvent))).toString('base64');
  return { header: { ...header, sealing: { ...sealing, lastEvent: remembered } }, made: sealed };
}

/** Up to here the way to the thread pool and back takes longer than to compress. */
const INLINE_BYTES = 32 << 10;

function chooseCompress({ compression, level }: BlockOptions): Compress {
  const inline = makeCompress(compression, level, true);
  const pool = makeCompress(compression, level, false);
  return (plain) => (plain.length <= INLINE_BYTES ? inline(plain) : pool(plain));
}

/** What cannot be read again is not written. */
function factsOfBatch({
  events,
  transactions,
  isOpen,
  to,
}: ChangeBatch): ReturnType<typeof factsOfTransactions> {
  const facts = factsOfTransactions(transactions);
  if (facts.events !== events.count) {
    throw new BackupError('internal', `transactions of ${facts.events} events, and ${events.count} events`);
  }
  if (isOpen !== (to === null)) throw new BackupError('internal', 'a batch ends where a transaction is open');
  if (to !== null && facts.lastCommit !== null && facts.lastCommit >= to) {
    throw new BackupError('internal', `a batch up to ${to} has a commit at ${facts.lastCommit}`);
  }
  return facts;
}

function encodeEvents(
  { events }: ChangeBatch,
  { codec, format, limits }: BlockOptions,
): { plain: Uint8Array; events: ChunkEvents } | null {
  if (events.count === 0) return null;
  const table = makeStreamTable();
  const { streams, numbers } = addBatch(table, events);
  const filter = makeFilter(table, streams);
  const facts = factsOf(events, limits);
  const plain = (codec ?? chunkCodec(format)).encode({ ...events, streamNumbers: numbers });
  // The codec's bytes are overwritten by its next chunk, and the thread pool reads them later.
  return { plain: Buffer.from(plain), events: chunkEvents(facts, streams.length, filter) };
}

function encodeRemovals(removals: readonly Removal[]): Uint8Array {
  return Buffer.from(removals.map((removal) => `${removalText(removal)}\n`).join(''));
}

/** One line of the part with what was removed. */
export function removalText({ afterEvents, transaction, kind, eventId }: Removal): string {
  return JSON.stringify({ afterEvents, transaction, kind, eventId });
}

interface MadePart {
  readonly part: BlockPart;
  readonly bytes: Uint8Array;
}

/** What a chunk table would say of the events gives streams away: where the block is sealed, it is a part of its own. */
function makeEventParts(
  { plain, events }: { plain: Uint8Array; events: ChunkEvents },
  count: number,
  compress: Compress,
  isSealed: boolean,
): Promise<MadePart>[] {
  if (!isSealed) return [makePart('events', plain, count, compress, events)];
  const index = Buffer.from(JSON.stringify(events));
  return [makePart('events', plain, count, compress), makePart('index', index, 1, compress)];
}

/** Events are always compressed, as in a backup; what is small only where that makes it smaller. The digest comes later. */
async function makePart(
  role: BlockRole,
  plain: Uint8Array,
  records: number,
  compress: Compress,
  events?: ChunkEvents,
): Promise<MadePart> {
  const plainBytes = plain.length;
  const frame = await compress(plain);
  const bytes = role === 'events' || frame.length < plain.length ? frame : plain;
  if (bytes !== plain) releaseBytes(plain);
  const part: BlockPart = {
    role,
    ...{ storedBytes: bytes.length, plainBytes },
    sha256: '',
    records,
    ...(events === undefined ? {} : { events }),
  };
  return { part, bytes };
}
