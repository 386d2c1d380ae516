import crypto from 'node:crypto';
import { awaitedLater } from '../core/concurrency.ts';
import type { FileRole, ManifestFile } from '../core/manifest.ts';
import type { ObjectWriter, Vault } from '../core/vault.ts';
import { indexFileName } from './bundle.ts';
import { type ChunkEntry, type ChunkEvents, encodeIndex } from './chunk-index.ts';
import type { Compress } from './compression.ts';
import { releaseBytes } from './release.ts';
import { ONLY_PIECE, type Seal, sealPiece } from './seal.ts';

/** Writes a data file chunk by chunk, then its chunk table. */
export interface DataFileWriter {
  /** Time spent so far. */
  readonly spent: { readonly compressionMs: number; readonly vaultMs: number };
  /** Takes one chunk. `plain` may be reused once this resolved. */
  add(plain: Uint8Array, records: number, events?: ChunkEvents): Promise<void>;
  /** Makes the file, then its table, durable. */
  finish(): Promise<ManifestFile>;
  /** Leaves no unfinished object; a finished file stays for the caller to remove. */
  abort(): Promise<void>;
}

export interface DataFileOptions {
  readonly folder: string;
  readonly name: string;
  readonly role: FileRole;
  readonly compress: Compress;
  /** Chunks that may wait for the thread pool; 0 when `compress` works in this thread. */
  readonly pending: number;
  /** Null: not sealed. */
  readonly seal: Seal | null;
}

interface PendingChunk {
  /** Whether the stored bytes are in memory of their own. */
  readonly isOwn: boolean;
  readonly stored: Uint8Array | Promise<Uint8Array>;
  readonly plainBytes: number;
  readonly records: number;
  readonly events: ChunkEvents | undefined;
}

export async function openDataFile(vault: Vault, options: DataFileOptions): Promise<DataFileWriter> {
  const object = await vault.createObject(options.folder + options.name);
  const state: FileState = {
    entries: [],
    offset: 0,
    plainBytes: 0,
    records: 0,
    hash: crypto.createHash('sha256'),
  };
  const queue: PendingChunk[] = [];
  const spent = { compressionMs: 0, vaultMs: 0 };
  // The seal of a chunk says whether it is the last one: that is known when the next one comes, or none.
  const waiting = options.seal === null ? 0 : 1;

  const writeNext = async (isLast: boolean): Promise<void> => {
    const chunk = queue.shift()!;
    const startedAtMs = performance.now();
    const compressed = await chunk.stored;
    const stored = sealChunk(options, state.entries.length, isLast, compressed);
    if (stored !== compressed) releaseBytes(compressed);
    const offset = state.offset;
    state.offset += stored.length;
    state.hash.update(stored);
    state.entries.push({
      offset,
      storedBytes: stored.length,
      plainBytes: chunk.plainBytes,
      sha256: crypto.hash('sha256', stored, 'hex'),
      records: chunk.records,
      ...(chunk.events === undefined ? {} : { events: chunk.events }),
    });
    state.plainBytes += chunk.plainBytes;
    state.records += chunk.records;
    const compressedAtMs = performance.now();
    await object.write(stored);
    // What was compressed is in memory of its own, and there is soon more of it than of all else.
    if (chunk.isOwn) releaseBytes(stored);
    spent.compressionMs += compressedAtMs - startedAtMs;
    spent.vaultMs += performance.now() - compressedAtMs;
  };

  return {
    spent,
    async add(plain, records, events) {
      const startedAtMs = performance.now();
      // The thread pool reads the bytes after this call returned, so it gets a copy of its own.
      const bytes = options.pending > 0 || waiting > 0 ? Buffer.from(plain) : plain;
      const stored = options.compress(bytes);
      queue.push({
        isOwn: stored !== plain,
        stored: stored instanceof Promise ? awaitedLater(stored) : stored,
        plainBytes: plain.length,
        records,
        events,
      });
      spent.compressionMs += performance.now() - startedAtMs;
      while (queue.length > options.pending + waiting) await writeNext(false);
    },
    async finish() {
      while (queue.length > 0) await writeNext(queue.length === 1);
      const startedAtMs = performance.now();
      await object.commit();
      const index = await writeIndex(vault, options, state.entries);
      spent.vaultMs += performance.now() - startedAtMs;
      return describeFile(options, state, index);
    },
    abort: () => object.abort(),
  };
}

function sealChunk(
  { seal, name }: DataFileOptions,
  number: number,
  isLast: boolean,
  compressed: Uint8Array,
): Uint8Array {
  return seal === null ? compressed : sealPiece(seal, { file: name, number, isLast }, compressed);
}

interface FileState {
  readonly entries: ChunkEntry[];
  offset: number;
  plainBytes: number;
  records: number;
  readonly hash: crypto.Hash;
}

function describeFile(
  { name, role }: DataFileOptions,
  { entries, offset, plainBytes, records, hash }: FileState,
  index: ManifestFile['index'],
): ManifestFile {
  return {
    ...{ name, role, sizeBytes: offset, sha256: hash.digest('hex') },
    ...{ plainBytes, chunks: entries.length, records },
    index,
  };
}

/** Writes the chunk table of a data file. */
export async function writeIndex(
  vault: Vault,
  { folder, name: fileName, seal }: Pick<DataFileOptions, 'folder' | 'name' | 'seal'>,
  entries: readonly ChunkEntry[],
): Promise<ManifestFile['index']> {
  const plain = encodeIndex(fileName, entries);
  const name = indexFileName(fileName);
  const bytes = seal === null ? plain : sealPiece(seal, { file: name, ...ONLY_PIECE }, plain);
  await writeObject(vault, folder + name, bytes);
  return { name, sizeBytes: bytes.length, sha256: crypto.hash('sha256', bytes, 'hex') };
}

/** Writes a whole object. */
export async function writeObject(vault: Vault, name: string, bytes: Uint8Array): Promise<void> {
  const object: ObjectWriter = await vault.createObject(name);
  try {
    await object.write(bytes);
    await object.commit();
  } catch (error) {
    await object.abort();
    throw error;
  }
}
