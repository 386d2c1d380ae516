import { BackupError, throwIfAborted } from '../core/errors.ts';
import type { ChangeBatch, ChangeFeed } from '../core/change-feed.ts';
import type { ChunkFormat, Compression } from '../core/manifest.ts';
import { type EncodedBlock, encodeBlock } from '../format/log-block.ts';
import { logFolder } from '../format/log-name.ts';
import type { LogFileWriter } from '../format/log-writer.ts';
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
}

/** About how many stored bytes wait for their file to be complete. */
const FILE_BYTES = 8 << 20;
const BATCH_BYTES = 4 << 20;

/** What was read and is not in the vault. */
interface Pending {
  /** Where the next file begins. */
  from: bigint;
  /** Of the block before. */
  digest: string | null;
  blocks: EncodedBlock[];
  sizeBytes: number;
  /** Events and transactions in `blocks`, and what came first of it. */
  events: number;
  transactions: number;
  beganAtMs: number;
  /** For a transaction that is too large to wait. */
  long: LogFileWriter | null;
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
  const { flushMs: lingerMs, idleMs, signal } = options;
  const pending: Pending = { ...nothingPending(begin.from), digest: begin.digest };
  try {
    for await (const batch of feed.read({ batchBytes: BATCH_BYTES, lingerMs, idleMs, signal })) {
      throwIfAborted(signal);
      if (!saysNothing(pending, batch)) {
        await take(feed, sink, pending, batch, options);
        if (batch.to === null || !isDue(pending, batch, options)) continue;
        await finishFile(feed, sink, pending, batch.to, progress);
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

/** Where no position has passed, there is nothing to name a file by. */
function saysNothing(pending: Pending, { transactions, to }: ChangeBatch): boolean {
  return transactions.count === 0 && pending.sizeBytes === 0 && to === pending.from;
}

function nothingPending(from: bigint): Omit<Pending, 'digest'> {
  return { from, blocks: [], sizeBytes: 0, events: 0, transactions: 0, beganAtMs: 0, long: null };
}

async function take(
  feed: ChangeFeed,
  sink: LogSink,
  pending: Pending,
  batch: ChangeBatch,
  { format, compression, level }: CaptureOptions,
): Promise<void> {
  const block = await encodeBlock(batch, {
    ...{ source: feed.source, format, compression, level, previous: pending.digest },
  });
  if (pending.blocks.length === 0 && pending.long === null) pending.beganAtMs = batch.beganAtMs;
  pending.digest = block.digest;
  pending.events += batch.events.count;
  pending.transactions += batch.transactions.count - (batch.isContinued ? 1 : 0);
  pending.sizeBytes += block.sizeBytes;
  if (pending.long !== null) return pending.long.add(block);
  pending.blocks.push(block);
  if (batch.to !== null || pending.sizeBytes < FILE_BYTES) return;
  // The file ends with the transaction that is open, whose commit is known from its begin.
  const to = batch.transactions.commits[batch.transactions.count - 1]! + 1n;
  pending.long = await sink.openLong(logFolder(feed.source), pending.from, to);
  for (const waiting of pending.blocks.splice(0)) await pending.long.add(waiting);
}

function isDue(pending: Pending, batch: ChangeBatch, { flushMs }: CaptureOptions): boolean {
  const isQuiet = batch.transactions.count === 0;
  const isFull = pending.sizeBytes >= FILE_BYTES;
  return isQuiet || isFull || pending.long !== null || performance.now() - pending.beganAtMs >= flushMs;
}

async function finishFile(
  feed: ChangeFeed,
  sink: LogSink,
  pending: Pending,
  to: bigint,
  progress: ArchiveProgress,
): Promise<void> {
  const { from, long, blocks, events, transactions, sizeBytes, digest } = pending;
  if (long !== null) await long.commit();
  else await sink.write({ folder: logFolder(feed.source), from, to, blocks });
  Object.assign(pending, nothingPending(to), { digest });
  await feed.acknowledge(to);
  progress.wrote({ to, events, transactions, sizeBytes });
}

function isDone(batch: ChangeBatch, { until }: CaptureOptions): boolean {
  if (until === undefined) return false;
  return until === null ? batch.transactions.count === 0 : batch.to !== null && batch.to >= until;
}
