import { runLimited } from '../core/concurrency.ts';
import type { BatchWriter, RestoreSession } from '../core/event-store.ts';
import type { Vault } from '../core/vault.ts';
import { naming } from '../format/bundle-damage.ts';
import { sealOf } from '../format/bundle-keys.ts';
import type { Chain } from '../format/chain.ts';
import { readIndex } from '../format/data-file-reader.ts';
import type { Conversion } from './conversion.ts';
import { type LoadHooks, type LoadJob, type LoadResult, loadChunks } from './load-chunks.ts';
import { cutIntoParts, type LoadPartJob } from './load-part.ts';
import { cutIntoRuns, type FileChunks, type FileSource } from './plan.ts';

export interface LoadPorts {
  readonly vault: Vault;
  /** Loads in another thread, which joins the restore by its token. */
  readonly runLoad?: (restoreToken: string, job: LoadJob, hooks: LoadHooks) => Promise<LoadResult>;
  /**
   * Loads a part (`loadPart`) wherever there is somebody to do it, and may try it again, or have two do it: it counts once.
   * Given, it is used instead of loaders that share what they take, where the target can be joined.
   */
  readonly runPart?: (restoreToken: string, job: LoadPartJob, hooks: LoadHooks) => Promise<LoadResult>;
}

/** The event files of all links with the sizes of their chunks, in one list: they are loaded in one go. */
export async function planLoads(vault: Vault, chain: Chain, loaders: number): Promise<FileChunks[]> {
  const sources = chain.flatMap((link) => {
    const { files, format, compression } = link.manifest;
    const common = { folder: link.folder, format, compression, seal: sealOf(link) };
    return files.filter(({ role }) => role === 'events').map((file): FileSource => ({ ...common, file }));
  });
  return runLimited(sources, loaders, async (source) => {
    const { folder, file, seal } = source;
    const entries = await naming(folder, () => readIndex(vault, folder, file, seal));
    return { ...source, plainBytes: entries.map((entry) => entry.plainBytes) };
  });
}

/**
 * Two loaders share the two processors with the server and stand in each other's way there: one that is alone is as
 * quick, takes less work, and may leave a better table.
 */
const WORTH_SEVERAL_LOADERS = 3;

/** `alone`: one, which works here. `together`: one here, the others in threads. `parts`: all elsewhere, each part on its own. */
export interface Loaders {
  readonly way: 'alone' | 'together' | 'parts';
  readonly count: number;
}

export const ALONE: Loaders = { way: 'alone', count: 1 };

/** How to load: with several loaders where the store takes events from several. */
export function planLoaders(
  { runPart }: LoadPorts,
  { token }: RestoreSession,
  files: readonly FileChunks[],
  parallel: number,
): Loaders {
  if (token === null) return ALONE;
  if (runPart !== undefined) return { way: 'parts', count: parallel };
  const count = parallel < WORTH_SEVERAL_LOADERS ? 1 : Math.min(parallel, cutIntoRuns(files).length);
  return count <= 1 ? ALONE : { way: 'together', count };
}

export interface Load {
  readonly session: RestoreSession;
  readonly files: readonly FileChunks[];
  readonly loaders: Loaders;
  /** Opens the writer of the loader that works here. */
  readonly openWriter: () => Promise<BatchWriter>;
  readonly conversion?: Conversion | null;
}

/** Loads everything, and gives what each loader, or each part, was. */
export function loadAll(ports: LoadPorts, load: Load, hooks: LoadHooks): Promise<LoadResult[]> {
  const { runPart } = ports;
  const { token } = load.session;
  const isInParts = load.loaders.way === 'parts' && runPart !== undefined && token !== null;
  if (!isInParts) return loadTogether(ports, load, hooks);
  return loadParts((part, own) => runPart(token, part, own), load, hooks);
}

/** One loader works here, the others in threads, if there are threads. */
function loadTogether(
  { vault, runLoad }: LoadPorts,
  { session, files, loaders: { count }, openWriter, conversion = null }: Load,
  { onProgress, signal: outer }: LoadHooks,
): Promise<LoadResult[]> {
  const { token } = session;
  const runs = cutIntoRuns(files);
  const job: LoadJob = { runs, taken: new Int32Array(new SharedArrayBuffer(4)), conversion };
  const load = async (loader: number, signal: AbortSignal): Promise<LoadResult> => {
    const hooks: LoadHooks = { ...(onProgress === undefined ? {} : { onProgress }), signal };
    if (token !== null && runLoad !== undefined && loader > 0) return runLoad(token, job, hooks);
    const writer = loader === 0 ? await openWriter() : await session.openWriter();
    return loadChunks({ vault, writer }, job, hooks);
  };
  const loaders = Array.from({ length: count }, (_, loader) => loader);
  return runLimited(loaders, count, load, outer);
}

/** What was tried twice has been counted twice on the way, and what was done before not at all: the result puts that right. */
function loadParts(
  run: (part: LoadPartJob, hooks: LoadHooks) => Promise<LoadResult>,
  { files, loaders: { count }, conversion = null }: Load,
  { onProgress, signal: outer }: LoadHooks,
): Promise<LoadResult[]> {
  const load = async (part: LoadPartJob, signal: AbortSignal): Promise<LoadResult> => {
    const told = { events: 0, bytes: 0 };
    const tell = (events: number, bytes: number): void => {
      told.events += events;
      told.bytes += bytes;
      onProgress?.(events, bytes);
    };
    const result = await run(part, { onProgress: tell, signal });
    tell(result.events - told.events, part.plainBytes - told.bytes);
    return result;
  };
  return runLimited(cutIntoParts(files, count, conversion), count, load, outer);
}
