import { makeStreamTable, releaseTable, type StreamTable } from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import type { Chain, ChainMember } from './chain.ts';
import { decodeHeads, encodeHeads, type HeadLine } from './heads.ts';
import { type IsWanted, readHeadsInto } from './heads-table.ts';
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

/** As `loadHeads`, only of streams with certain names: memory follows their number. */
export async function loadSomeHeads(vault: Vault, chain: Chain, isWanted: IsWanted): Promise<StreamTable> {
  const table = makeStreamTable();
  for (const link of chain) {
    await readHeadsChunks(vault, link, (plain) => readHeadsInto(table, plain, isWanted));
  }
  return table;
}

/** Puts the heads of one more backup of the chain on top. Throws `damaged`. */
export async function addHeads(vault: Vault, link: ChainMember, table: StreamTable): Promise<void> {
  await readHeadsChunks(vault, link, (plain) => readHeadsInto(table, plain));
}

/** The heads of a chain in byte order of the streams' names. Throws `damaged`. */
export async function* readChainHeads(vault: Vault, chain: Chain): AsyncGenerator<HeadLine> {
  if (chain.length === 1) {
    yield* readHeads(vault, chain[0]!);
    return;
  }
  const table = await loadHeads(vault, chain);
  try {
    for (const { plain } of encodeHeads(table)) yield* decodeHeads(plain);
  } finally {
    releaseTable(table);
  }
}

/** What chains hold, one after the other: a chain that begins with the one before is only added to. */
export interface ChainHeads {
  /** Valid until the next call. Throws `damaged`. */
  readonly of: (chain: Chain) => Promise<StreamTable>;
  /** As lines in byte order of the streams' names. Throws `damaged`. */
  readonly linesOf: (chain: Chain) => AsyncGenerator<HeadLine>;
  readonly release: () => void;
}

export function makeChainHeads(vault: Vault): ChainHeads {
  let table = makeStreamTable();
  let held: ChainMember[] = [];
  const release = (): void => {
    releaseTable(table);
    table = makeStreamTable();
    held = [];
  };
  const of = async (chain: Chain): Promise<StreamTable> => {
    if (held.some((link, i) => link !== chain[i])) release();
    for (const link of chain.slice(held.length)) {
      try {
        await addHeads(vault, link, table);
      } catch (error) {
        // A part of what is damaged may be in the table.
        release();
        throw error;
      }
      held.push(link);
    }
    return table;
  };
  const linesOf = async function* (chain: Chain): AsyncGenerator<HeadLine> {
    for (const { plain } of encodeHeads(await of(chain))) yield* decodeHeads(plain);
  };
  return { of, linesOf, release };
}
