import { makeStreamTable, releaseTable, type StreamTable } from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import type { Chain } from './chain.ts';
import { decodeHeads, encodeHeads, type HeadLine } from './heads.ts';
import { readHeadsInto } from './heads-table.ts';
import { readHeads, readHeadsChunks } from './line-files.ts';

/** Room that is made beforehand at most, for some tens of MiB: to grow takes longer than to fill what there is. */
const MOST_EXPECTED = 1 << 19;

/** What a chain holds of each stream. Throws `damaged`. */
export async function loadHeads(vault: Vault, chain: Chain): Promise<StreamTable> {
  const { manifest } = chain.at(-1)!;
  const streams = manifest.chain?.totalStreams ?? manifest.totalStreams;
  const table = makeStreamTable(Math.min(streams, MOST_EXPECTED));
  for (const link of chain) await addHeads(vault, link, table);
  return table;
}

/** Puts the heads of one more backup of the chain on top. Throws `damaged`. */
export async function addHeads(
  vault: Vault,
  { folder, manifest }: Chain[number],
  table: StreamTable,
): Promise<void> {
  await readHeadsChunks(vault, folder, manifest, (plain) => readHeadsInto(table, plain));
}

/** The heads of a chain in byte order of the streams' names. Throws `damaged`. */
export async function* readChainHeads(vault: Vault, chain: Chain): AsyncGenerator<HeadLine> {
  if (chain.length === 1) {
    yield* readHeads(vault, chain[0]!.folder, chain[0]!.manifest);
    return;
  }
  const table = await loadHeads(vault, chain);
  try {
    for (const { plain } of encodeHeads(table)) yield* decodeHeads(plain);
  } finally {
    releaseTable(table);
  }
}
