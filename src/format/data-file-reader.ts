import crypto from 'node:crypto';
import { awaitedLater } from '../core/concurrency.ts';
import { BackupError, isBackupError, throwIfAborted } from '../core/errors.ts';
import type { Compression, ManifestFile } from '../core/manifest.ts';
import type { Vault } from '../core/vault.ts';
import { type ChunkEntry, decodeIndex } from './chunk-index.ts';
import { decompress } from './compression.ts';
import { releaseBytes } from './release.ts';
import { ONLY_PIECE, openPiece, type Seal } from './seal.ts';

/** Chunks that lie together are fetched together, up to this many stored bytes at once: to a bucket, each request is a few milliseconds of work. */
const WINDOW_BYTES = 4 << 20;

export const SEE_ALL =
  'run `eventcore verify` to see all that is damaged; restore from another copy or backup';

/**
 * A chunk that was fetched, valid until the next one is asked for. `stored` has been checked against `entry.sha256` when
 * `intact`.
 */
export interface FetchedChunk {
  readonly entry: ChunkEntry;
  /** Place in the file, from 0. */
  readonly number: number;
  readonly isLast: boolean;
  readonly stored: Uint8Array;
  readonly intact: boolean;
}

/** The chunk table of a data file. Throws `damaged` when it is not the one that the manifest names. */
export async function readIndex(
  vault: Vault,
  folder: string,
  file: ManifestFile,
  seal: Seal | null,
): Promise<ChunkEntry[]> {
  const bytes = await readPart(vault, folder + file.index.name, 0, file.index.sizeBytes);
  if (crypto.hash('sha256', bytes, 'hex') !== file.index.sha256) {
    throw new BackupError(
      'damaged',
      `chunk table ${file.index.name} does not have the checksum in the manifest`,
    );
  }
  const plain = seal === null ? bytes : openPiece(seal, { file: file.index.name, ...ONLY_PIECE }, bytes);
  const entries = decodeIndex(plain, file.name, file.sizeBytes);
  if (entries.length !== file.chunks) {
    throw new BackupError(
      'damaged',
      `chunk table ${file.index.name} has ${entries.length} chunks, not ${file.chunks}`,
    );
  }
  return entries;
}

export interface FetchOptions {
  /** Numbers of the chunks to fetch, ascending; all when left out. */
  readonly chunks?: readonly number[];
  /** Whether one window is fetched ahead of the consumer (default), or only what is asked for. */
  readonly ahead?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** How the chunks of a file are stored. */
export interface StoredForm {
  /** Of the file, without its folder. */
  readonly name: string;
  readonly compression: Compression;
  /** Null: not sealed. */
  readonly seal: Seal | null;
}

/** Fetches chunks in order and checks their hashes. */
export async function* fetchChunks(
  vault: Vault,
  name: string,
  entries: readonly ChunkEntry[],
  options: FetchOptions = {},
): AsyncGenerator<FetchedChunk> {
  const isAhead = options.ahead !== false;
  const wanted = options.chunks ?? entries.map((_, number) => number);
  const windows = isAhead ? planWindows(entries, wanted) : wanted.map((number) => [number]);
  const fetchWindow = (window: number[]): Promise<Uint8Array> => {
    const first = entries[window[0]!]!;
    const last = entries[window[window.length - 1]!]!;
    return awaitedLater(readPart(vault, name, first.offset, last.offset + last.storedBytes - first.offset));
  };
  let ahead = isAhead && windows.length > 0 ? fetchWindow(windows[0]!) : null;
  for (let i = 0; i < windows.length; i += 1) {
    throwIfAborted(options.signal);
    const bytes = await (ahead ?? fetchWindow(windows[i]!));
    ahead = isAhead && i + 1 < windows.length ? fetchWindow(windows[i + 1]!) : null;
    const start = entries[windows[i]![0]!]!.offset;
    for (const number of windows[i]!) {
      const entry = entries[number]!;
      const stored = bytes.subarray(entry.offset - start, entry.offset - start + entry.storedBytes);
      const isLast = number === entries.length - 1;
      yield { entry, number, isLast, stored, intact: crypto.hash('sha256', stored, 'hex') === entry.sha256 };
    }
    releaseBytes(bytes);
  }
}

/**
 * Hands the plain bytes of a fetched chunk to `use` and takes them back after it: they, and a batch that lies in them,
 * are not valid any more then. Throws `damaged`, naming file and chunk.
 */
export async function withPlain<Result>(
  chunk: FetchedChunk,
  form: StoredForm,
  use: (plain: Uint8Array) => Result | Promise<Result>,
): Promise<Result> {
  const plain = openChunk(chunk, form);
  try {
    return await use(plain);
  } finally {
    if (plain !== chunk.stored) releaseBytes(plain);
  }
}

function openChunk(chunk: FetchedChunk, { name, compression, seal }: StoredForm): Uint8Array {
  const facts = { file: name, chunk: chunk.number };
  if (!chunk.intact) {
    throw new BackupError('damaged', `chunk ${chunk.number} of ${name} does not have its checksum`, {
      hint: SEE_ALL,
      facts,
    });
  }
  try {
    const { number, isLast, stored } = chunk;
    if (seal === null) return decompress(compression, stored, chunk.entry.plainBytes);
    const opened = openPiece(seal, { file: name, number, isLast }, stored);
    const plain = decompress(compression, opened, chunk.entry.plainBytes);
    if (plain !== opened) releaseBytes(opened);
    return plain;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BackupError('damaged', `chunk ${chunk.number} of ${name}: ${reason}`, { cause, facts });
  }
}

/** A part of a file that a manifest names: when the file is not there, the backup is damaged. */
async function readPart(vault: Vault, name: string, offset: number, length: number): Promise<Uint8Array> {
  try {
    return await vault.readRange(name, offset, length);
  } catch (cause) {
    throw isBackupError(cause, 'vault_object_missing') ? missingPart(name, cause) : cause;
  }
}

export function missingPart(name: string, cause: unknown): BackupError {
  return new BackupError('damaged', `${name} is missing`, { hint: SEE_ALL, cause, facts: { file: name } });
}

/** Groups neighbouring chunks; a chunk larger than a window is one of its own. */
function planWindows(entries: readonly ChunkEntry[], chunks: readonly number[]): number[][] {
  const windows: number[][] = [];
  let bytes = 0;
  for (const number of chunks) {
    const current = windows.at(-1);
    const { storedBytes } = entries[number]!;
    if (current !== undefined && current.at(-1) === number - 1 && bytes + storedBytes <= WINDOW_BYTES) {
      current.push(number);
      bytes += storedBytes;
    } else {
      windows.push([number]);
      bytes = storedBytes;
    }
  }
  return windows;
}
