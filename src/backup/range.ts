import { awaitedLater } from '../core/concurrency.ts';
import type { EventBatch } from '../core/event-batch.ts';
import { type EventFacts, type FactLimits, factsOf, makeFacts, mergeFacts } from '../core/event-facts.ts';
import type { BatchReader, RangeBatch, StoreRange } from '../core/event-store.ts';
import type { ChunkFormat, Compression, ManifestFile } from '../core/manifest.ts';
import { eventBytes, makeStages, type Stages } from '../core/stages.ts';
import { addBatch, makeStreamTable, type StreamTable } from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import { eventFileName } from '../format/bundle.ts';
import { type ChunkCodec, chunkCodec } from '../format/chunk-codec.ts';
import { type ChunkEvents, chunkEvents } from '../format/chunk-index.ts';
import { makeCompress } from '../format/compression.ts';
import { type DataFileWriter, openDataFile } from '../format/data-file-writer.ts';
import type { Seal } from '../format/seal.ts';
import { makeFilter } from '../format/stream-filter.ts';

/** What one reader is to do: each range of the store into one event file. Survives structured cloning. */
export interface RangeJob {
  readonly ranges: readonly StoreRange[];
  /** The store reads them in one pass. */
  readonly isPass: boolean;
  readonly folder: string;
  readonly format: ChunkFormat;
  readonly compression: Compression;
  readonly level: number | null;
  /** Null: not sealed. */
  readonly seal: Seal | null;
  readonly limits: FactLimits;
  /** About the plain bytes of a chunk. */
  readonly chunkBytes: number;
  /**
   * Stands in the names of the files: hex digits, another for each try. Over machines a job may be done again while whoever had it is
   * not dead but slow: both then write, and the files of one of them count. Left out: nobody else writes these ranges.
   */
  readonly mark?: string;
}

export interface RangeResult {
  /** In the order of the ranges; a range that holds no event has none. */
  readonly files: readonly ManifestFile[];
  readonly facts: EventFacts;
  readonly table: StreamTable;
  readonly stages: Stages;
}

export interface RangeHooks {
  /** Events and event bytes since the last call. */
  readonly onProgress?: (events: number, bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface RangePorts {
  readonly reader: BatchReader;
  readonly vault: Vault;
  /**
   * `inline`: this thread compresses too, which is the quickest way in a thread of its own. `pool`: the thread
   * pool does, and this thread goes on reading.
   */
  readonly compressIn: 'inline' | 'pool';
}

/** Chunks that wait for the thread pool: enough to keep two cores busy, little enough for flat memory. */
const POOL_PENDING = 3;

/** Reads ranges of the store and writes an event file for each. */
export async function backUpRanges(
  ports: RangePorts,
  job: RangeJob,
  hooks: RangeHooks = {},
): Promise<RangeResult> {
  const codec = chunkCodec(job.format);
  const table = makeStreamTable();
  const facts = makeFacts();
  const stages = makeStages();
  const files = makeEventFiles(ports, job, stages);
  const { signal } = hooks;
  const options = { batchBytes: job.chunkBytes, ...(signal === undefined ? {} : { signal }) };
  let readyAtMs = performance.now();
  try {
    for await (const { place, batch } of readBatches(ports.reader, job, options)) {
      const readAtMs = performance.now();
      stages.storeMs += readAtMs - readyAtMs;
      if (batch.count > 0) {
        const file = await files.at(place);
        const encodeAtMs = performance.now();
        const chunk = encodeBatch(codec, table, facts, batch, job.limits);
        stages.codecMs += performance.now() - encodeAtMs;
        stages.eventBytes += eventBytes(batch);
        await file.add(chunk.plain, batch.count, chunk.events);
        hooks.onProgress?.(batch.count, chunk.plain.length);
      }
      readyAtMs = performance.now();
    }
    stages.storeMs += performance.now() - readyAtMs;
    return { files: await files.finish(), facts, table, stages };
  } catch (error) {
    await files.abort();
    throw error;
  }
}

async function* readBatches(
  reader: BatchReader,
  { ranges, isPass }: RangeJob,
  options: Parameters<BatchReader['readRange']>[1],
): AsyncGenerator<RangeBatch> {
  if (isPass && reader.readPass !== undefined) {
    yield* reader.readPass(ranges, options);
    return;
  }
  for (const [place, range] of ranges.entries()) {
    for await (const batch of reader.readRange(range, options)) yield { place, batch };
  }
}

interface EventFiles {
  /** The file of the range at this place; the one before is then finished. */
  at(place: number): Promise<DataFileWriter>;
  finish(): Promise<readonly ManifestFile[]>;
  /** Leaves no unfinished object. */
  abort(): Promise<void>;
}

/** Event files, one after the other: while one is made durable, the store is read on for the next one. */
function makeEventFiles(ports: RangePorts, job: RangeJob, stages: Stages): EventFiles {
  const files: ManifestFile[] = [];
  let current: { readonly place: number; readonly file: DataFileWriter } | null = null;
  let finishing: Promise<void> = Promise.resolve();
  const finishFile = async (file: DataFileWriter): Promise<void> => {
    try {
      files.push(await file.finish());
      noteFile(stages, file, files.at(-1)!);
    } catch (error) {
      await file.abort();
      throw error;
    }
  };
  const finishCurrent = async (): Promise<void> => {
    await finishing;
    if (current !== null) finishing = awaitedLater(finishFile(current.file));
    current = null;
  };
  return {
    at: async (place) => {
      if (current?.place === place) return current.file;
      await finishCurrent();
      const file = await openEventFile(ports, job, job.ranges[place]!);
      current = { place, file };
      return file;
    },
    finish: async () => {
      await finishCurrent();
      await finishing;
      return files;
    },
    abort: async () => {
      await Promise.all([finishing.catch(() => undefined), current?.file.abort()]);
    },
  };
}

/** Counts a batch's events and streams, and turns it into a chunk. */
function encodeBatch(
  codec: ChunkCodec,
  table: StreamTable,
  facts: EventFacts,
  batch: EventBatch,
  limits: FactLimits,
): { plain: Uint8Array; events: ChunkEvents } {
  const { streams, numbers } = addBatch(table, batch);
  const batchFacts = factsOf(batch, limits);
  mergeFacts(facts, batchFacts);
  const filter = makeFilter(table, streams);
  const plain = codec.encode({ ...batch, streamNumbers: numbers });
  return { plain, events: chunkEvents(batchFacts, streams.length, filter) };
}

function noteFile(stages: Stages, file: DataFileWriter, written: ManifestFile): void {
  stages.compressionMs += file.spent.compressionMs;
  stages.vaultMs += file.spent.vaultMs;
  stages.plainBytes += written.plainBytes;
  stages.storedBytes += written.sizeBytes;
}

function openEventFile(ports: RangePorts, job: RangeJob, { index }: StoreRange): Promise<DataFileWriter> {
  const inline = ports.compressIn === 'inline';
  return openDataFile(ports.vault, {
    folder: job.folder,
    name: eventFileName(
      index + 1,
      job.format,
      { compression: job.compression, isSealed: job.seal !== null },
      job.mark,
    ),
    role: 'events',
    compress: makeCompress(job.compression, job.level, inline),
    pending: inline || job.compression === 'none' ? 0 : POOL_PENDING,
    seal: job.seal,
  });
}
