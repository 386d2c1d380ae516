import type { ChangeBatch, ChangeFeed } from '../core/change-feed.ts';
import { awaitedLater } from '../core/concurrency.ts';
import { BackupError, throwIfAborted } from '../core/errors.ts';
import type { ChunkFormat, Compression } from '../core/manifest.ts';
import { type ChunkCodec, chunkCodec } from '../format/chunk-codec.ts';
import { type BlockOptions, type EncodedBlock, encodeBlock } from '../format/log-block.ts';
import { logFolder } from '../format/log-name.ts';
import type { LogFileWriter } from '../format/log-writer.ts';
import type { LogSealer } from './log-seal.ts';
import type { LogSink } from './sink.ts';
import type { ArchiveProgress } from './status.ts';

export interface CaptureOptions {
  readonly format: ChunkFormat;
  readonly compression: Compression;
  /** Null: the compression's default. */
  readonly level: number | null;
  /** How long what was committed may wait before it is in the vault, but for the time that takes. */
  readonly flushMs: number;
  /** How often the log says that nothing was committed. */
  readonly idleMs: number;
  /** Ends once everything is in the vault that was committed before this position (null: up to the first quiet moment). */
  readonly until?: bigint | null;
  readonly signal?: AbortSignal | undefined;
  /** Left out: blocks are neither sealed nor signed. */
  readonly sealer?: LogSealer;
}

/** About how many stored bytes wait for their file to be complete. */
const FILE_BYTES = 8 << 20;
const BATCH_BYTES = 4 << 20;
const ONCE_LINGER_MS = 200;
/** Batches that the thread pool may compress while the next ones are received. */
const ENCODING = 2;

/** What was read and is not in the vault. */
interface Pending {
  /** Where the next file begins. */
  from: bigint;
  /** Of the block before. */
  digest: string | null | Promise<string | null>;
  readonly codec: ChunkCodec;
  encoding: Promise<EncodedBlock>[];
  blocks: EncodedBlock[];
  sizeBytes: number;
  events: number;
  transactions: number;
  /** Of the first thing since the last file; null when there is none. */
  beganAtMs: number | null;
  /** For a transaction that is too large to wait. */
  long: LogFileWriter | null;
  /** Up to when it was said that nothing came. */
  quietUntil: bigint;
}

/**
 * Copies what a feed gives into log files, until the feed ends or fails. A file is in the vault, whole and durable, before its
 * end is acknowledged; what is lost on the way comes again with the next feed.
 */
export async function capture(
  feed: ChangeFeed,
  sink: LogSink,
  begin: { readonly from: bigint; readonly digest: string | null },
  options: CaptureOptions,
  progress: ArchiveProgress,
): Promise<void> {
  const { idleMs, signal } = options;
  // Who waits for the end of it has no use for the last batch to grow.
  const lingerMs = options.until === undefined ? options.flushMs : Math.min(options.flushMs, ONCE_LINGER_MS);
  const codec = chunkCodec(options.format);
  const pending: Pending = { ...nothingPending(begin.from), digest: begin.digest, codec, quietUntil: 0n };
  try {
    for await (const batch of feed.read({ batchBytes: BATCH_BYTES, lingerMs, idleMs, signal })) {
      throwIfAborted(signal);
      if (saysNothing(pending, batch)) {
        await markQuiet(feed, sink, pending, batch, options);
      } else {
        await take(feed, sink, pending, batch, options);
        if (batch.to === null || !isDue(pending, batch, options)) continue;
        await finishFile(feed, sink, pending, batch.to, progress);
        pending.quietUntil = batch.asOf;
      }
      progress.reached(batch, performance.now() - batch.beganAtMs);
      if (isDone(batch, options)) return;
    }
    throwIfAborted(signal);
    throw new BackupError('store_unreachable', 'the store sends no more changes');
  } finally {
    await pending.long?.abort();
  }
}

function nothingPending(from: bigint): Omit<Pending, 'digest' | 'codec' | 'quietUntil'> {
  return {
    ...{ from, encoding: [], blocks: [], sizeBytes: 0, events: 0, transactions: 0 },
    ...{ beganAtMs: null, long: null },
  };
}

/** Where no position has passed, there is nothing to name a file by; but that a log begins is worth one. */
function saysNothing({ from, digest, beganAtMs }: Pending, { transactions, to }: ChangeBatch): boolean {
  return transactions.count === 0 && beganAtMs === null && to === from && digest !== null;
}

async function take(
  feed: ChangeFeed,
  sink: LogSink,
  pending: Pending,
  batch: ChangeBatch,
  options: CaptureOptions,
): Promise<void> {
  const described = await describe(feed, pending, options);
  const block = awaitedLater(encodeBlock(batch, described));
  pending.digest = awaitedLater(block.then(({ digest }) => digest));
  pending.encoding.push(block);
  pending.beganAtMs ??= batch.beganAtMs;
  pending.events += batch.events.count;
  pending.transactions += batch.transactions.count - (batch.isContinued ? 1 : 0);
  await settle(pending, ENCODING);
  if (batch.to !== null || pending.long !== null || pending.sizeBytes < FILE_BYTES) return;
  // The file ends with the transaction that is open, whose commit is known from its begin.
  const to = batch.transactions.commits[batch.transactions.count - 1]! + 1n;
  pending.long = await sink.openLong(logFolder(feed.source), pending.from, to);
  for (const waiting of pending.blocks.splice(0)) await pending.long.add(waiting);
}

async function describe(
  { source }: ChangeFeed,
  { digest: previous, codec }: Pending,
  { format, compression, level, sealer }: CaptureOptions,
): Promise<BlockOptions> {
  const seal = (await sealer?.sealFor(logFolder(source))) ?? null;
  const signer = sealer?.signer ?? null;
  return { source, format, compression, level, seal, signer, previous, codec, limits: NO_LIMITS };
}

/**
 * A time in which nothing came moves no position, so no file can be named by it. What it says is all the same worth knowing: the
 * store was looked at, and up to then there was nothing behind the last block. That is true as long as this block is the last one; a mark
 * names it, and counts only where the log ends with it. Nothing goes on from a mark, so it may be left out, lost or removed.
 */
async function markQuiet(
  feed: ChangeFeed,
  sink: LogSink,
  pending: Pending,
  batch: ChangeBatch,
  options: CaptureOptions,
): Promise<void> {
  if (batch.asOf <= pending.quietUntil) return;
  const described = await describe(feed, pending, options);
  const block = await encodeBlock({ ...batch, horizon: null }, described);
  await sink.markQuiet(logFolder(feed.source), block);
  pending.quietUntil = batch.asOf;
}

/** Oddities are counted when a store is backed up. */
const NO_LIMITS = { versionBase: 0, futureAfter: 2n ** 63n - 1n } as const;

/** Waits until no more than `encoding` blocks are being encoded. */
async function settle(pending: Pending, encoding: number): Promise<void> {
  while (pending.encoding.length > encoding) {
    const block = await pending.encoding.shift()!;
    pending.sizeBytes += block.sizeBytes;
    if (pending.long === null) pending.blocks.push(block);
    else await pending.long.add(block);
  }
}

function isDue(pending: Pending, batch: ChangeBatch, { flushMs }: CaptureOptions): boolean {
  const isQuiet = batch.transactions.count === 0;
  const isFull = pending.sizeBytes >= FILE_BYTES || pending.long !== null;
  return isQuiet || isFull || performance.now() - pending.beganAtMs! >= flushMs;
}

async function finishFile(
  feed: ChangeFeed,
  sink: LogSink,
  pending: Pending,
  to: bigint,
  progress: ArchiveProgress,
): Promise<void> {
  await settle(pending, 0);
  const { from, long, blocks, events, transactions, sizeBytes } = pending;
  if (long !== null) await long.commit();
  else await sink.write({ folder: logFolder(feed.source), from, blocks, sizeBytes });
  Object.assign(pending, nothingPending(to));
  await feed.acknowledge(to);
  progress.wrote({ to, events, transactions, sizeBytes });
}

function isDone({ transactions, to }: ChangeBatch, { until }: CaptureOptions): boolean {
  if (until === undefined) return false;
  return until === null ? transactions.count === 0 : to !== null && to >= until;
}
