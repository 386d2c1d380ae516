import type { EventBatch } from '../core/event-batch.ts';
import type { Manifest } from '../core/manifest.ts';
import type { Vault } from '../core/vault.ts';
import { chunkCodec } from './chunk-codec.ts';
import type { ChunkEntry } from './chunk-index.ts';
import { fetchChunks, readIndex, withPlain } from './data-file-reader.ts';
import { mayContain } from './stream-filter.ts';

/** What is needed to know of a backup to read its events. */
export interface EventFiles {
  readonly folder: string;
  readonly manifest: Pick<Manifest, 'format' | 'compression' | 'files'>;
}

export interface StreamSearch {
  /** Names of the streams that are still wanted; asked anew for each file, and when there are none the search ends. */
  readonly names: () => readonly Uint8Array[] | 'all';
  /** Takes the events of a chunk that may hold some of them; the batch is valid until it has returned, or resolved. */
  readonly take: (batch: EventBatch) => void | Promise<void>;
  /** True ends the search. Chunks are then fetched one by one, since the next may not be needed. */
  readonly isDone?: () => boolean;
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
  for (const { folder, manifest } of chain.toReversed()) {
    const codec = chunkCodec(manifest.format);
    for (const file of manifest.files.filter(({ role }) => role === 'events')) {
      const names = search.names();
      if (names.length === 0) return;
      const entries = await readIndex(vault, folder, file);
      const chunks = chunksOf(entries, names);
      const { signal, isDone } = search;
      const options = { chunks, signal, ahead: isDone === undefined };
      if (isDone?.()) return;
      for await (const chunk of fetchChunks(vault, folder + file.name, entries, options)) {
        await withPlain(chunk, file.name, manifest.compression, (plain) => search.take(codec.decode(plain)));
        if (isDone?.()) return;
      }
    }
  }
}

function chunksOf(entries: readonly ChunkEntry[], names: readonly Uint8Array[] | 'all'): number[] {
  if (names === 'all') return entries.map((_, number) => number);
  return entries.flatMap(({ events }, number) => {
    const filter = Buffer.from(events!.filter, 'base64');
    return names.some((name) => mayContain(filter, name)) ? [number] : [];
  });
}
