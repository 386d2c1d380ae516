import { BackupError } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import type { Vault } from '../core/vault.ts';
import type { Conversion } from './conversion.ts';
import { type LoadHooks, type LoadResult, writeChunks } from './load-chunks.ts';
import type { ChunkRun, FileChunks, FileSource } from './plan.ts';

/**
 * A fixed share of a load, which counts once however often it is tried: for loaders that share no memory and may die, or be
 * taken for dead. Survives structured cloning.
 */
export interface LoadPartJob {
  /** Names it among the parts of its restore. */
  readonly part: string;
  /** One for each file that it has chunks of. */
  readonly runs: readonly ChunkRun[];
  readonly plainBytes: number;
  /** Null: events are written as they are. */
  readonly conversion: Conversion | null;
}

/** Loads a part, unless that was done. Gives the result of whoever ended it first. Throws `store_refused` when the restore is over. */
export async function loadPart(
  { vault, store }: { readonly vault: Vault; readonly store: Pick<EventStore, 'joinPart'> },
  restoreToken: string,
  { part, runs, conversion }: LoadPartJob,
  hooks: LoadHooks = {},
): Promise<LoadResult> {
  const joined = await store.joinPart(restoreToken, part);
  if (joined.state === 'loaded') return decodeResult(part, joined.record);
  const { writer } = joined;
  try {
    const taken = new Int32Array(new SharedArrayBuffer(4));
    const result = await writeChunks({ vault, writer }, { runs, taken, conversion }, hooks);
    return decodeResult(part, await writer.end(JSON.stringify(result)));
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function decodeResult(part: string, record: string): LoadResult {
  try {
    const result = JSON.parse(record) as LoadResult | null;
    if (Number.isSafeInteger(result?.events)) return result!;
  } catch {
    // Said below.
  }
  throw new BackupError('damaged', `what the target has recorded of part ${part} is no result of a load`, {
    hint: 'start the restore again',
  });
}

const MIB = 1 << 20;
/** What a loader that dies loses, and what one alone may still be at when all others are done. */
const PART_BYTES = { least: 64 * MIB, most: 256 * MIB };
/** Of few bytes parts are smaller, so that all loaders have something; but no smaller than is worth one. */
const WORTH_A_PART_BYTES = 8 * MIB;
/** With as many for each loader as this, parts grow. */
const MANY_EACH = 16;

/** Cuts the chunks of all files into parts of about the same size, in order: for each of some loaders as many. Each chunk is in exactly one. */
export function cutIntoParts(
  files: readonly FileChunks[],
  loaders: number,
  conversion: Conversion | null,
): LoadPartJob[] {
  const total = files.reduce((sum, { plainBytes }) => plainBytes.reduce((a, b) => a + b, sum), 0);
  const count = countParts(total, loaders);
  const parts: { runs: GrowingRun[]; plainBytes: number }[] = [];
  let before = 0;
  for (const { plainBytes, ...source } of files) {
    plainBytes.forEach((size, chunk) => {
      // By where it begins, so that what is too much in one part is not missing in the last.
      const isNew = parts.length === 0 || (parts.length < count && before >= (parts.length * total) / count);
      if (isNew) parts.push({ runs: [], plainBytes: 0 });
      addChunk(parts.at(-1)!, source, chunk, size);
      before += size;
    });
  }
  return parts.map(({ runs, plainBytes }, place) => ({
    ...{ part: String(place + 1), runs, plainBytes, conversion },
  }));
}

type GrowingRun = FileSource & { readonly chunks: number[] };

function addChunk(
  part: { readonly runs: GrowingRun[]; plainBytes: number },
  source: FileSource,
  chunk: number,
  size: number,
): void {
  const last = part.runs.at(-1);
  if (last?.file === source.file && last.folder === source.folder) last.chunks.push(chunk);
  else part.runs.push({ ...source, chunks: [chunk] });
  part.plainBytes += size;
}

function countParts(total: number, loaders: number): number {
  const { least, most } = PART_BYTES;
  const wanted = Math.min(most, Math.max(least, total / (loaders * MANY_EACH)));
  const even = loaders * Math.ceil(total / (loaders * wanted));
  return Math.max(1, Math.min(even, Math.floor(total / WORTH_A_PART_BYTES)));
}
