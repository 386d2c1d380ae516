import { awaitedLater } from '../core/concurrency.ts';
import { BackupError } from '../core/errors.ts';
import type { BatchWriter } from '../core/event-store.ts';
import type { ChunkFormat } from '../core/manifest.ts';
import type { Vault } from '../core/vault.ts';
import { naming } from '../format/bundle-damage.ts';
import { type ChunkCodec, chunkCodec } from '../format/chunk-codec.ts';
import type { ChunkEntry } from '../format/chunk-index.ts';
import { type FetchedChunk, fetchChunks, readIndex, withPlain } from '../format/data-file-reader.ts';
import type { EnvelopeContents } from '../format/envelope.ts';
import { type Conversion, convertingWriter } from './conversion.ts';
import { makeGreatestId } from './greatest-id.ts';
import type { ChunkRun } from './plan.ts';

/** What several loaders do together: each takes the next run when it is done with one. Survives structured cloning. */
export interface LoadJob {
  readonly runs: readonly ChunkRun[];
  /** How many of the runs have been taken, in memory that all loaders share. */
  readonly taken: Int32Array<SharedArrayBuffer>;
  /** Null: events are written as they are. */
  readonly conversion: Conversion | null;
}

export interface LoadResult {
  readonly events: number;
  /** The greatest event id, as UUID text; null when there was none or ids are no UUIDs. */
  readonly greatestId: string | null;
  /** What was taken off the events, of a conversion. */
  readonly contents: EnvelopeContents | null;
}

export interface LoadHooks {
  readonly onProgress?: (events: number, bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Fetches, checks, decodes and writes chunks. The writer is ended, or aborted when anything fails. */
export async function loadChunks(
  ports: { readonly vault: Vault; readonly writer: BatchWriter },
  job: LoadJob,
  hooks: LoadHooks = {},
): Promise<LoadResult> {
  try {
    const result = await writeChunks(ports, job, hooks);
    await ports.writer.end();
    return result;
  } catch (error) {
    await ports.writer.abort();
    throw error;
  }
}

/** As `loadChunks`; the writer stays as it is. */
export async function writeChunks(
  ports: { readonly vault: Vault; readonly writer: Pick<BatchWriter, 'write'> },
  job: LoadJob,
  hooks: LoadHooks,
): Promise<LoadResult> {
  const { vault } = ports;
  const converting = job.conversion === null ? null : convertingWriter(ports.writer, job.conversion);
  const writer = converting?.writer ?? ports.writer;
  const greatest = makeGreatestId();
  const codecs = new Map<ChunkFormat, ChunkCodec>();
  let events = 0;
  for await (const { run, chunk } of takeChunks(vault, job, hooks.signal)) {
    const { folder, file, format, compression, seal } = run;
    const form = { name: file.name, compression, seal };
    const codec = codecs.get(format) ?? chunkCodec(format);
    codecs.set(format, codec);
    const write = async (plain: Uint8Array): Promise<number> => {
      const batch = codec.decode(plain);
      if (batch.count !== chunk.entry.records) throw wrongCount(file.name, chunk.number, batch.count);
      await writer.write(batch);
      greatest.note(batch);
      return batch.count;
    };
    events += await naming(folder, () => withPlain(chunk, form, write));
    hooks.onProgress?.(chunk.entry.records, chunk.entry.plainBytes);
  }
  return { events, greatestId: greatest.text(), contents: converting?.contents ?? null };
}

interface TakenChunk {
  readonly run: ChunkRun;
  readonly chunk: FetchedChunk;
}

/** The chunks of the runs that this loader takes. While it loads one run, the next one is being fetched. */
async function* takeChunks(
  vault: Vault,
  job: LoadJob,
  signal: AbortSignal | undefined,
): AsyncGenerator<TakenChunk> {
  const indexes = new Map<string, Promise<ChunkEntry[]>>();
  const takeRun = () => {
    const run = job.runs[Atomics.add(job.taken, 0, 1)];
    if (run === undefined) return null;
    const chunks = fetchRun(vault, run, { indexes, signal });
    return { chunks, first: awaitedLater(chunks.next()) };
  };
  let ahead = takeRun();
  try {
    while (ahead !== null) {
      const { chunks, first } = ahead;
      ahead = takeRun();
      for (let step = await first; step.done !== true; step = await chunks.next()) yield step.value;
    }
  } finally {
    await ahead?.chunks.return(undefined).catch(() => undefined);
  }
}

async function* fetchRun(
  vault: Vault,
  run: ChunkRun,
  { indexes, signal }: { indexes: Map<string, Promise<ChunkEntry[]>>; signal: AbortSignal | undefined },
): AsyncGenerator<TakenChunk> {
  const { folder, file, chunks, seal } = run;
  const name = folder + file.name;
  const index = indexes.get(name) ?? naming(folder, () => readIndex(vault, folder, file, seal));
  indexes.set(name, index);
  const fetched = fetchChunks(vault, name, await index, { chunks, signal });
  for await (const chunk of fetched) yield { run, chunk };
}

function wrongCount(file: string, chunk: number, count: number): BackupError {
  return new BackupError(
    'damaged',
    `chunk ${chunk} of ${file} holds ${count} events, its table says otherwise`,
    {
      hint: 'run `eventcore verify` to see all that is damaged',
      facts: { file, chunk },
    },
  );
}
