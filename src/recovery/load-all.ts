import { runLimited } from '../core/concurrency.ts';
import type { BatchWriter, RestoreSession } from '../core/event-store.ts';
import type { Vault } from '../core/vault.ts';
import { naming } from '../format/bundle-damage.ts';
import { sealOf } from '../format/bundle-keys.ts';
import type { Chain } from '../format/chain.ts';
import { readIndex } from '../format/data-file-reader.ts';
import type { Conversion } from './conversion.ts';
import { type LoadHooks, type LoadJob, type LoadResult, loadChunks } from './load-chunks.ts';
import { type ChunkRun, cutIntoRuns, type FileSource } from './plan.ts';

export interface LoadPorts {
  readonly vault: Vault;
  /** Loads in another thread, which joins the restore by its token. */
  readonly runLoad?: (restoreToken: string, job: LoadJob, hooks: LoadHooks) => Promise<LoadResult>;
}

/** The event chunks of all links, in one list: they are loaded in one go. */
export async function planLoads(vault: Vault, chain: Chain, loaders: number): Promise<ChunkRun[]> {
  const sources = chain.flatMap((link) => {
    const { files, format, compression } = link.manifest;
    const common = { folder: link.folder, format, compression, seal: sealOf(link) };
    return files.filter(({ role }) => role === 'events').map((file): FileSource => ({ ...common, file }));
  });
  const sizes = await runLimited(sources, loaders, async (source) => {
    const { folder, file, seal } = source;
    const entries = await naming(folder, () => readIndex(vault, folder, file, seal));
    return { ...source, plainBytes: entries.map((entry) => entry.plainBytes) };
  });
  return cutIntoRuns(sizes);
}

/**
 * Two loaders share the two processors with the server and stand in each other's way there: one that is alone is as
 * quick, takes less work, and may leave a better table.
 */
const WORTH_SEVERAL_LOADERS = 3;

export interface Load {
  readonly session: RestoreSession;
  readonly runs: readonly ChunkRun[];
  /** How many loaders there are: `countLoaders`. */
  readonly count: number;
  /** Opens the writer of the loader that works here. */
  readonly openWriter: () => Promise<BatchWriter>;
  readonly conversion?: Conversion | null;
}

/** How many loaders to have: several where the store takes events from several. */
export function countLoaders(session: RestoreSession, runs: readonly ChunkRun[], parallel: number): number {
  const isOne = session.token === null || parallel < WORTH_SEVERAL_LOADERS;
  return isOne ? 1 : Math.max(1, Math.min(parallel, runs.length));
}

/** One loader works here, the others in threads, if there are threads. */
export function loadAll(
  { vault, runLoad }: LoadPorts,
  { session, runs, count, openWriter, conversion = null }: Load,
  { onProgress, signal: outer }: LoadHooks,
): Promise<LoadResult[]> {
  const { token } = session;
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
