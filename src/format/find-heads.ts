import { nameBytes, nameText } from '../core/name-text.ts';
import type { Vault } from '../core/vault.ts';
import { naming } from './bundle-damage.ts';
import { sealOf, storedForm } from './bundle-keys.ts';
import type { Chain, ChainMember } from './chain.ts';
import type { ChunkEntry } from './chunk-index.ts';
import { fetchChunks, readIndex, withPlain } from './data-file-reader.ts';
import { decodeHeads, type HeadLine } from './heads.ts';

export interface FoundHeads {
  /** What the chain holds of the streams that it has, in byte order of their names. */
  readonly heads: readonly HeadLine[];
  /** Streams that it does not have, with the names that stand next to theirs. */
  readonly unknown: readonly { readonly streamId: string; readonly near: readonly string[] }[];
}

/**
 * Looks up what a chain holds of a few streams. The heads are sorted, so for each of them some chunks in the middle tell which one
 * it is in: of a long file few chunks are read. Throws `damaged`.
 */
export async function findHeads(
  vault: Vault,
  chain: Chain,
  names: readonly Uint8Array[],
): Promise<FoundHeads> {
  const missing = new Map(names.map((name) => [nameText(name), { name, near: new Set<string>() }]));
  const heads: HeadLine[] = [];
  for (const link of chain.toReversed()) {
    if (missing.size === 0) break;
    const chunks = await openHeads(vault, link);
    for (const [streamId, { name, near }] of missing) {
      const found = await findHead(chunks, name);
      for (const neighbour of found.near) near.add(neighbour);
      if (found.head === null) continue;
      heads.push(found.head);
      missing.delete(streamId);
    }
  }
  return {
    heads: heads.sort(byNameBytes),
    unknown: Array.from(missing, ([streamId, { near }]) => ({ streamId, near: [...near] })),
  };
}

/** What the heads of one backup say of a stream: those of an incremental one have the streams that it added to. Throws `damaged`. */
export async function findOwnHead(
  vault: Vault,
  link: ChainMember,
  name: Uint8Array,
): Promise<{ readonly head: HeadLine | null; readonly near: readonly string[] }> {
  return findHead(await openHeads(vault, link), name);
}

export interface ListedHeads {
  /** In byte order of their names. */
  readonly heads: readonly HeadLine[];
  /** There are more of them behind these. */
  readonly hasMore: boolean;
}

/**
 * The first streams of a chain whose names begin so: of each link the chunks that hold them are read, and a few to find them. Throws
 * `damaged`.
 */
export async function listHeads(
  vault: Vault,
  chain: Chain,
  { prefix, limit }: { readonly prefix: Uint8Array; readonly limit: number },
): Promise<ListedHeads> {
  const byName = new Map<string, HeadLine>();
  for (const link of chain) {
    const chunks = await openHeads(vault, link);
    for (const head of await headsFrom(chunks, prefix, limit + 1)) byName.set(head.streamId, head);
  }
  // Each link gave its first ones, so the first ones of all are among them.
  const heads = [...byName.values()].sort(byNameBytes);
  return { heads: heads.slice(0, limit), hasMore: heads.length > limit };
}

async function headsFrom(chunks: HeadsChunks, prefix: Uint8Array, most: number): Promise<HeadLine[]> {
  const found: HeadLine[] = [];
  for (let at = await firstChunkFrom(chunks, prefix); at < chunks.count; at += 1) {
    const lines = await chunks.read(at);
    for (const line of lines.slice(firstFrom(lines, prefix))) {
      if (found.length === most || !beginsWith(nameBytes(line.streamId), prefix)) return found;
      found.push(line);
    }
  }
  return found;
}

/** The first chunk that has a name which is not less. */
async function firstChunkFrom({ count, read }: HeadsChunks, name: Uint8Array): Promise<number> {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    const lines = await read(middle);
    if (firstFrom(lines, name) === lines.length) low = middle + 1;
    else high = middle;
  }
  return low;
}

function beginsWith(name: Uint8Array, prefix: Uint8Array): boolean {
  return name.length >= prefix.length && compareBytes(name.subarray(0, prefix.length), prefix) === 0;
}

/** The heads of one backup, chunk by chunk, each read once. */
interface HeadsChunks {
  readonly count: number;
  readonly read: (chunk: number) => Promise<readonly HeadLine[]>;
}

async function openHeads(vault: Vault, link: ChainMember): Promise<HeadsChunks> {
  const { folder, manifest } = link;
  const file = manifest.files.find(({ role }) => role === 'heads');
  const entries: ChunkEntry[] =
    file === undefined
      ? []
      : await naming(folder, () => readIndex(vault, folder, file, sealOf(link, 'heads')));
  const known = new Map<number, Promise<readonly HeadLine[]>>();
  const readOne = async (number: number): Promise<readonly HeadLine[]> => {
    const lines: HeadLine[] = [];
    for await (const chunk of fetchChunks(vault, folder + file!.name, entries, { chunks: [number] })) {
      const decoded = await naming(folder, () => withPlain(chunk, storedForm(link, file!), decodeHeads));
      for (const line of decoded) lines.push(line);
    }
    return lines;
  };
  return {
    count: entries.length,
    read: (number) => {
      const lines = known.get(number) ?? readOne(number);
      known.set(number, lines);
      return lines;
    },
  };
}

async function findHead(
  { count, read }: HeadsChunks,
  name: Uint8Array,
): Promise<{ head: HeadLine | null; near: string[] }> {
  let low = 0;
  let high = count - 1;
  let near: string[] = [];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const lines = await read(middle);
    const at = firstFrom(lines, name);
    const line = lines[at];
    if (line !== undefined && compareBytes(nameBytes(line.streamId), name) === 0)
      return { head: line, near: [] };
    near = lines.slice(Math.max(0, at - 1), at + 1).map(({ streamId }) => streamId);
    if (at === 0) high = middle - 1;
    else if (at === lines.length) low = middle + 1;
    else break;
  }
  return { head: null, near };
}

/** The place of the first line whose name is not less. */
function firstFrom(lines: readonly HeadLine[], name: Uint8Array): number {
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes(nameBytes(lines[middle]!.streamId), name) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function byNameBytes(a: HeadLine, b: HeadLine): number {
  return compareBytes(nameBytes(a.streamId), nameBytes(b.streamId));
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}
