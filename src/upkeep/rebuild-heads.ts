import { touchStreams } from '../core/chain-summary.ts';
import { addBatch, makeStreamTable, releaseTable, type StreamTable } from '../core/stream-table.ts';
import type { ObjectWriter, Vault } from '../core/vault.ts';
import type { Chain } from '../format/chain.ts';
import { searchStreams } from '../format/chain-events.ts';
import { loadHeads } from '../format/chain-heads.ts';
import { writeHeads } from '../format/line-files.ts';

/**
 * The heads file of the last backup of a chain and its chunk table, by their names: they follow from its event files, and what was held
 * before. Throws `damaged` where those are.
 */
export async function rebuildHeads(
  vault: Vault,
  chain: Chain,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const link = chain.at(-1)!;
  const { compression, level } = link.manifest;
  const own = makeStreamTable();
  const take = (batch: Parameters<typeof addBatch>[1]): void => void addBatch(own, batch);
  await searchStreams(vault, [link], { names: () => 'all', take, signal });
  const table = chain.length === 1 ? own : await withBefore(vault, chain.slice(0, -1), own);
  const written = new Map<string, Uint8Array>();
  await writeHeads(intoMemory(vault, written), link.folder, { compression, level, seal: null }, table);
  releaseTable(table);
  return written;
}

/** Heads of an incremental backup say what the chain holds, of the streams that it touches. */
async function withBefore(vault: Vault, parents: Chain, own: StreamTable): Promise<StreamTable> {
  const held = await loadHeads(vault, parents);
  const { before, after } = touchStreams(held, own);
  releaseTable(held);
  releaseTable(before);
  releaseTable(own);
  return after;
}

/** Takes what is written and gives it to nobody: heads are small against the events that they are of. */
function intoMemory(vault: Vault, written: Map<string, Uint8Array>): Vault {
  const createObject = async (name: string): Promise<ObjectWriter> => {
    const parts: Buffer[] = [];
    return {
      // The bytes are only borrowed.
      write: async (bytes) => void parts.push(Buffer.from(bytes)),
      commit: async () => void written.set(name, Buffer.concat(parts)),
      abort: async () => undefined,
    };
  };
  return { ...vault, createObject };
}
