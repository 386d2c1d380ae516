import { throwIfAborted } from '../core/errors.ts';
import { factsOf } from '../core/event-facts.ts';
import type { ChunkFormat, Compression, Manifest, ManifestFile } from '../core/manifest.ts';
import type { Progress } from '../core/report.ts';
import { parseTime } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { eventFileName, linesFileName } from '../format/bundle.ts';
import { storedForm } from '../format/bundle-keys.ts';
import { type Chain, chainTotals } from '../format/chain.ts';
import { chunkCodec } from '../format/chunk-codec.ts';
import { makeCompress } from '../format/compression.ts';
import { copyDataFile } from '../format/data-file-copy.ts';
import { fetchChunks, readIndex, withPlain } from '../format/data-file-reader.ts';
import { openDataFile } from '../format/data-file-writer.ts';
import type { Seal } from '../format/seal.ts';

/** How the files of the new backup are written, and what of the chain's is taken as it is. */
export interface Target {
  readonly folder: string;
  readonly format: ChunkFormat;
  readonly compression: Compression;
  readonly level: number | null;
  /** Null: not sealed. */
  readonly seal: Seal | null;
  /** Files that were compressed at another level are taken as they are. */
  readonly anyLevel: boolean;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface TakenOver {
  readonly files: readonly ManifestFile[];
  readonly copied: number;
  readonly encoded: number;
}

/** Chunks that wait for the thread pool. */
const POOL_PENDING = 3;

/** All event files of a chain, numbered in its order, and the companions of its newest backup. */
export async function takeOverFiles(vault: Vault, chain: Chain, target: Target): Promise<TakenOver> {
  const taken = { files: [] as ManifestFile[], copied: 0, encoded: 0 };
  const done = { events: 0, bytes: 0 };
  const report = reporter(chain, target);
  for (const source of sourcesOf(chain, target)) {
    throwIfAborted(target.signal);
    const { file, link, name } = source;
    if (isAsWanted(link.manifest, file, target)) {
      const from = { folder: link.folder, file };
      taken.files.push(await copyDataFile(vault, from, { folder: target.folder, name }));
      taken.copied += 1;
    } else {
      taken.files.push(await encodeAnew(vault, source, target));
      taken.encoded += 1;
    }
    if (file.role === 'events') done.events += file.records;
    done.bytes += file.plainBytes;
    report(done);
  }
  return taken;
}

interface SourceFile {
  readonly link: Chain[number];
  readonly file: ManifestFile;
  /** Of the new file. */
  readonly name: string;
}

function sourcesOf(chain: Chain, { format, compression, seal }: Target): SourceFile[] {
  const form = { compression, isSealed: seal !== null };
  const pick = (role: ManifestFile['role'], links: Chain): Omit<SourceFile, 'name'>[] =>
    links.flatMap((link) =>
      link.manifest.files.filter((file) => file.role === role).map((file) => ({ link, file })),
    );
  return [
    ...pick('events', chain).map((source, i) => ({
      ...source,
      name: eventFileName(i + 1, format, form),
    })),
    ...pick('companions', chain.slice(-1)).map((source) => ({
      ...source,
      name: linesFileName('companions', form),
    })),
  ];
}

function reporter(chain: Chain, { onProgress }: Target): (done: { events: number; bytes: number }) => void {
  const { totalEvents } = chainTotals(chain.at(-1)!.manifest);
  return (done) => onProgress?.({ ...done, totalEvents, totalBytes: null });
}

function isAsWanted(has: Manifest, { role }: ManifestFile, wants: Target): boolean {
  // What is sealed is bound to its backup.
  if (has.sealed || wants.seal !== null) return false;
  if (has.compression !== wants.compression) return false;
  if (has.level !== wants.level && !wants.anyLevel) return false;
  return role !== 'events' || has.format === wants.format;
}

/** Chunk by chunk. What the chunk table says of a chunk's events holds for the same events in another format. */
async function encodeAnew(
  vault: Vault,
  { link, file, name }: SourceFile,
  { folder: targetFolder, format, compression, level, seal, signal }: Target,
): Promise<ManifestFile> {
  const { folder, manifest } = link;
  const form = storedForm(link, file);
  const entries = await readIndex(vault, folder, file, form.seal);
  const decoder = chunkCodec(manifest.format);
  const encoder = chunkCodec(format);
  const isSame = file.role !== 'events' || manifest.format === format;
  const writer = await openDataFile(vault, {
    ...{ folder: targetFolder, name, role: file.role },
    compress: makeCompress(compression, level, false),
    pending: compression === 'none' ? 0 : POOL_PENDING,
    seal,
  });
  try {
    for await (const chunk of fetchChunks(vault, folder + file.name, entries, { signal })) {
      const { records, events } = chunk.entry;
      await withPlain(chunk, form, (plain) =>
        writer.add(isSame ? plain : encoder.encode(decoder.decode(plain)), records, events),
      );
    }
    return await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/**
 * Events of a chain that were recorded after `futureAfter`. The backups of the chain counted them each by its own time;
 * only chunks whose table says that they have some are decoded.
 */
export async function countFutureTimes(
  vault: Vault,
  chain: Chain,
  futureAfter: bigint,
  signal: AbortSignal | undefined,
): Promise<number> {
  let count = 0;
  const isLate = (time: string | undefined): boolean => (parseTime(time ?? '') ?? futureAfter) > futureAfter;
  for (const link of chain) {
    const { folder, manifest } = link;
    if (!isLate(manifest.eventRange?.latestEvent)) continue;
    const codec = chunkCodec(manifest.format);
    const limits = { versionBase: manifest.store.versionBase, futureAfter };
    for (const file of manifest.files.filter(({ role }) => role === 'events')) {
      const form = storedForm(link, file);
      const entries = await readIndex(vault, folder, file, form.seal);
      const chunks = entries.flatMap(({ events }, number) => (isLate(events?.latest) ? [number] : []));
      for await (const chunk of fetchChunks(vault, folder + file.name, entries, { chunks, signal })) {
        count += await withPlain(chunk, form, (plain) => {
          return factsOf(codec.check(plain), limits).futureTimes;
        });
      }
    }
  }
  return count;
}
