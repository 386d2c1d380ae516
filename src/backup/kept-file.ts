import { isBackupError } from '../core/errors.ts';
import { type FactLimits, factsOf, makeFacts, mergeFacts } from '../core/event-facts.ts';
import type { ChunkFormat, Compression, ManifestFile } from '../core/manifest.ts';
import { makeStages } from '../core/stages.ts';
import { addBatch, makeStreamTable } from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import { indexFileName } from '../format/bundle.ts';
import { type ChunkCodec, chunkCodec } from '../format/chunk-codec.ts';
import { chunkEvents, decodeIndex, encodeIndex } from '../format/chunk-index.ts';
import { type FetchedChunk, fetchChunks, withPlain } from '../format/data-file-reader.ts';
import { makeFileDigest } from '../format/file-digest.ts';
import { ONLY_PIECE, openPiece, type Seal } from '../format/seal.ts';
import { makeFilter } from '../format/stream-filter.ts';
import type { RangeHooks, RangeResult } from './range.ts';

/** An event file that somebody else finished, to be looked through. Survives structured cloning. */
export interface KeptFileJob {
  readonly folder: string;
  readonly name: string;
  readonly format: ChunkFormat;
  readonly compression: Compression;
  /** Null: not sealed. Only within one run is there a seal: a later run has no key to what an earlier one sealed. */
  readonly seal: Seal | null;
  readonly limits: FactLimits;
}

/**
 * Reads a finished event file as if it were the range that it was written from. No manifest says what it should be, so
 * every byte of it and of its chunk table must be what its content gives; there is no file in the result when one is not.
 */
export async function readKeptFile(
  vault: Vault,
  job: KeptFileJob,
  hooks: RangeHooks = {},
): Promise<RangeResult> {
  try {
    return await readSound(vault, job, hooks);
  } catch (error) {
    if (!isBackupError(error, 'damaged', 'vault_object_missing')) throw error;
    return { files: [], facts: makeFacts(), table: makeStreamTable(), stages: makeStages() };
  }
}

async function readSound(vault: Vault, job: KeptFileJob, hooks: RangeHooks): Promise<RangeResult> {
  const indexName = indexFileName(job.name);
  const [size, indexSize] = await Promise.all([sizeOf(vault, job, job.name), sizeOf(vault, job, indexName)]);
  const index = await vault.readRange(job.folder + indexName, 0, indexSize);
  const table = job.seal === null ? index : openPiece(job.seal, { file: indexName, ...ONLY_PIECE }, index);
  const entries = decodeIndex(table, job.name, size);
  const codec = chunkCodec(job.format);
  const result = { facts: makeFacts(), table: makeStreamTable(), stages: makeStages() };
  const digest = makeFileDigest();
  const found: typeof entries = [];
  for await (const chunk of fetchChunks(vault, job.folder + job.name, entries, { signal: hooks.signal })) {
    digest.update(chunk.stored);
    found.push({ ...chunk.entry, ...(await lookThrough(chunk, codec, job, result)) });
    hooks.onProgress?.(chunk.entry.records, chunk.entry.plainBytes);
    // This is synchronous work: let timers, signals and messages in.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const isItsTable = encodeIndex(job.name, found).equals(table);
  const file: ManifestFile = {
    ...{ name: job.name, role: 'events', sizeBytes: size, sha256: digest.hex() },
    plainBytes: entries.reduce((sum, { plainBytes }) => sum + plainBytes, 0),
    ...{ chunks: entries.length, records: result.facts.events },
    index: { name: indexName, sizeBytes: indexSize, sha256: digestOf(index) },
  };
  return { ...result, files: isItsTable ? [file] : [] };
}

/** What the chunk table has to say of a chunk. */
async function lookThrough(
  chunk: FetchedChunk,
  codec: ChunkCodec,
  { name, compression, seal, limits }: KeptFileJob,
  { facts, table }: Pick<RangeResult, 'facts' | 'table'>,
) {
  return withPlain(chunk, { name, compression, seal }, (plain) => {
    const batch = codec.check(plain);
    const { streams } = addBatch(table, batch);
    const own = factsOf(batch, limits);
    mergeFacts(facts, own);
    return { records: batch.count, events: chunkEvents(own, streams.length, makeFilter(table, streams)) };
  });
}

async function sizeOf(vault: Vault, { folder }: KeptFileJob, name: string): Promise<number> {
  // What is not there has no table that could be right.
  return (await vault.stat(folder + name))?.sizeBytes ?? 0;
}

function digestOf(bytes: Uint8Array): string {
  const digest = makeFileDigest();
  digest.update(bytes);
  return digest.hex();
}
