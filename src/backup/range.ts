import type { EventBatch } from '../core/event-batch.ts';
import { type EventFacts, type FactLimits, factsOf, makeFacts, mergeFacts } from '../core/event-facts.ts';
import type { BatchReader, StoreRange } from '../core/event-store.ts';
import type { ChunkFormat, Compression, ManifestFile } from '../core/manifest.ts';
import { eventBytes, makeStages, type Stages } from '../core/stages.ts';
import { addBatch, makeStreamTable, type StreamTable } from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import { eventFileName } from '../format/bundle.ts';
import { type ChunkCodec, chunkCodec } from '../format/chunk-codec.ts';
import { type ChunkEvents, chunkEvents } from '../format/chunk-index.ts';
import { makeCompress } from '../format/compression.ts';
import { type DataFileWriter, openDataFile } from '../format/data-file-writer.ts';
import { makeFilter } from '../format/stream-filter.ts';

/** What one reader is to do: one range of the store into one event file. Survives structured cloning. */
export interface RangeJob {
  readonly range: StoreRange;
  readonly folder: string;
  readonly format: ChunkFormat;
  readonly compression: Compression;
  readonly level: number | null;
  readonly limits: FactLimits;
  /** About the plain bytes of a chunk. */
  readonly chunkBytes: number;
}

export interface RangeResult {
  /** Null when the range holds no event; there is no file then. */
  readonly file: ManifestFile | null;
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

/** Reads one range of the store and writes its event file. */
export async function backUpRange(
  ports: RangePorts,
  job: RangeJob,
  hooks: RangeHooks = {},
): Promise<RangeResult> {
  const codec = chunkCodec(job.format);
  const table = makeStreamTable();
  const facts = makeFacts();
  const stages = makeStages();
  const { signal } = hooks;
  const options = { batchBytes: job.chunkBytes, ...(signal === undefined ? {} : { signal }) };
  let file: DataFileWriter | null = null;
  let readyAtMs = performance.now();
  try {
    for await (const batch of ports.reader.readRange(job.range, options)) {
      const readAtMs = performance.now();
      stages.storeMs += readAtMs - readyAtMs;
      if (batch.count > 0) {
        file ??= await openEventFile(ports, job);
        const chunk = encodeBatch(codec, table, facts, batch, job.limits);
        stages.codecMs += performance.now() - readAtMs;
        stages.eventBytes += eventBytes(batch);
        await file.add(chunk.plain, batch.count, chunk.events);
        hooks.onProgress?.(batch.count, chunk.plain.length);
      }
      readyAtMs = performance.now();
    }
    stages.storeMs += performance.now() - readyAtMs;
    const written = file === null ? null : await file.finish();
    noteFile(stages, file, written);
    return { file: written, facts, table, stages };
  } catch (error) {
    await file?.abort();
    throw error;
  }
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

function noteFile(stages: Stages, file: DataFileWriter | null, written: ManifestFile | null): void {
  if (file === null || written === null) return;
  stages.compressionMs += file.spent.compressionMs;
  stages.vaultMs += file.spent.vaultMs;
  stages.plainBytes += written.plainBytes;
  stages.storedBytes += written.sizeBytes;
}

function openEventFile(ports: RangePorts, job: RangeJob): Promise<DataFileWriter> {
  const inline = ports.compressIn === 'inline';
  return openDataFile(ports.vault, {
    folder: job.folder,
    name: eventFileName(job.range.index + 1, job.format, job.compression),
    role: 'events',
    compress: makeCompress(job.compression, job.level, inline),
    pending: inline || job.compression === 'none' ? 0 : POOL_PENDING,
  });
}
