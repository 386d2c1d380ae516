import type { BatchWriter } from '../core/event-store.ts';
import type { Vault } from '../core/vault.ts';
import type { Chain } from '../format/chain.ts';
import { readCompanions } from '../format/line-files.ts';
import { type AllowedLoss, type Conversion, type Loss, lossesOf, requireAllowed } from './conversion.ts';
import { planLoads } from './load-all.ts';
import { loadChunks } from './load-chunks.ts';
import { type ChunkRun, cutIntoRuns, type FileChunks } from './plan.ts';

/** Goes nowhere: for those who only look. */
const NOWHERE: BatchWriter = { write: async () => {}, end: async () => {}, abort: async () => {} };

/** Of so many event files one chunk is looked at before much is loaded for nothing. */
const MOST_LOOKED_AT = 64;

/**
 * Refuses now what would be refused when all is loaded, as far as the first events of each file show it. Throws `would_lose`.
 */
export async function requireForeseen(
  vault: Vault,
  chain: Chain,
  files: readonly FileChunks[],
  { conversion, allowed }: { readonly conversion: Conversion; readonly allowed: AllowedLoss },
): Promise<void> {
  const filled = files.filter(({ plainBytes }) => plainBytes.length > 0).slice(-MOST_LOOKED_AT);
  const looked = filled.map(({ plainBytes: _, ...source }): ChunkRun => ({ ...source, chunks: [0] }));
  const [contents, tables] = [await readContents(vault, looked, conversion), await countTables(vault, chain)];
  requireAllowed(conversion, lossesOf(contents, tables), allowed);
}

/** All that a chain has and the target has no place for, counted by reading it. */
export async function measureLosses(
  vault: Vault,
  chain: Chain,
  conversion: Conversion,
  signal?: AbortSignal,
): Promise<Loss[]> {
  const runs = cutIntoRuns(await planLoads(vault, chain, 1));
  return lossesOf(await readContents(vault, runs, conversion, signal), await countTables(vault, chain));
}

async function readContents(
  vault: Vault,
  runs: readonly ChunkRun[],
  conversion: Conversion,
  signal?: AbortSignal,
) {
  const taken = new Int32Array(new SharedArrayBuffer(4));
  const read = await loadChunks({ vault, writer: NOWHERE }, { runs, taken, conversion }, { signal });
  return read.contents!;
}

/** Rows of the tables that belong to the events, by table: another layout has places of its own for such things. */
export async function countTables(vault: Vault, chain: Chain): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for await (const { table } of readCompanions(vault, chain.at(-1)!))
    counts.set(table, (counts.get(table) ?? 0) + 1);
  return counts;
}
