import type { EventBatch } from '../core/event-batch.ts';
import type { Manifest, ManifestFile } from '../core/manifest.ts';
import type { Vault } from '../core/vault.ts';
import { type KeyedBundle, sealOf, storedForm } from './bundle-keys.ts';
import { chunkCodec } from './chunk-codec.ts';
import type { ChunkEntry, ChunkEvents } from './chunk-index.ts';
import { fetchChunks, readIndex, withPlain } from './data-file-reader.ts';
import { mayContain } from './stream-filter.ts';

/** What is needed to know of a backup to read its events. */
export interface EventFiles extends KeyedBundle {
  readonly folder: string;
  readonly manifest: Pick<Manifest, 'backupId' | 'sealed' | 'format' | 'compression' | 'files'>;
}

export interface StreamSearch {
  /** Names of the streams that are still wanted; asked anew for each file, and when there are none the search ends. */
  readonly names: () => readonly Uint8Array[] | 'all';
  /** Takes the events of a chunk that may hold some of them; the batch is valid until it has returned, or resolved. */
  readonly take: (batch: EventBatch) => void | Promise<void>;
  /** True ends the search. Chunks are then fetched one by one, since the next may not be needed. */
  readonly isDone?: () => boolean;
  /** Whether a chunk may still hold something that is wanted, by more than the names of its streams. */
  readonly wants?: (events: ChunkEvents) => boolean;
  /** Chunks with a lower rank are read first within a backup, so that it may be done sooner. */
  readonly rank?: (events: ChunkEvents) => number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the chunks of a chain that may hold events of certain streams, newest backup first. Which ones, the stream filters
 * of the chunk tables say: of the others one in a hundred is read for nothing. Throws `damaged`.
 */
export async function searchStreams(
  vault: Vault,
  chain: readonly EventFiles[],
  search: StreamSearch,
): Promise<void> {
  for (const link of chain.toReversed()) {
    if (search.rank !== undefined) {
      await searchRanked(vault, link, search, search.rank);
    } else {
      for (const file of eventFiles(link)) {
        const names = search.names();
        if (names.length === 0) return;
        const entries = await readIndex(vault, link.folder, file, sealOf(link));
        await searchFile(vault, link, search, {
          file,
          entries,
          chunks: chunksOf(entries, names, search.wants),
        });
      }
    }
    if (search.isDone?.()) return;
  }
}

function eventFiles({ manifest }: EventFiles): ManifestFile[] {
  return manifest.files.filter(({ role }) => role === 'events');
}

interface FileChunks {
  readonly file: ManifestFile;
  readonly entries: readonly ChunkEntry[];
  readonly chunks: readonly number[];
}

async function searchFile(
  vault: Vault,
  link: EventFiles,
  { take, isDone, signal }: StreamSearch,
  { file, entries, chunks }: FileChunks,
): Promise<void> {
  const { folder, manifest } = link;
  const codec = chunkCodec(manifest.format);
  const form = storedForm(link, file);
  if (isDone?.()) return;
  const options = { chunks, signal, ahead: isDone === undefined };
  for await (const chunk of fetchChunks(vault, folder + file.name, entries, options)) {
    await withPlain(chunk, form, (plain) => take(codec.decode(plain)));
    if (isDone?.()) return;
  }
}

/** The likely chunks of all files first: many streams are found before those that a filter lets through for nothing. */
async function searchRanked(
  vault: Vault,
  link: EventFiles,
  search: StreamSearch,
  rank: NonNullable<StreamSearch['rank']>,
): Promise<void> {
  const found: (FileChunks & { readonly rank: number })[] = [];
  for (const file of eventFiles(link)) {
    const entries = await readIndex(vault, link.folder, file, sealOf(link));
    for (const chunk of chunksOf(entries, search.names(), search.wants)) {
      found.push({ file, entries, chunks: [chunk], rank: rank(entries[chunk]!.events!) });
    }
  }
  for (const one of found.sort((a, b) => a.rank - b.rank)) {
    const { events } = one.entries[one.chunks[0]!]!;
    if (search.wants?.(events!) !== false) await searchFile(vault, link, search, one);
  }
}

/** More names than this would be looked up in each filter for longer than it takes to read all chunks. */
const MOST_LOOKED_UP = 20_000;

function chunksOf(
  entries: readonly ChunkEntry[],
  names: readonly Uint8Array[] | 'all',
  wants: StreamSearch['wants'] = () => true,
): number[] {
  return entries.flatMap(({ events }, number) => {
    if (!wants(events!)) return [];
    if (names === 'all' || names.length > MOST_LOOKED_UP) return [number];
    const filter = Buffer.from(events!.filter, 'base64');
    return names.some((name) => mayContain(filter, name)) ? [number] : [];
  });
}
