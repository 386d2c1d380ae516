import type { Random } from '../../../src/testing/random.ts';
import { mutate, pick } from '../engine/mutate.ts';
import { changeJson, writeJson } from '../engine/mutate-json.ts';
import { type Objects, packVault, sha256, unpackVault } from '../engine/packed-vault.ts';
import { frameHeader, reshapeDocument } from './documents.ts';

const PREFIX_BYTES = 40;

export interface Block {
  header: unknown;
  /** What the block behind it names it by. */
  digest: string;
  parts: Buffer;
}

interface Header {
  parts: { storedBytes: number; plainBytes: number; sha256: string }[];
  previous: string | null;
}

/** Changes one thing of a log, then makes digests and links fit again: mostly all of them. */
export function reshapeLog(random: Random, seed: Uint8Array): Uint8Array {
  try {
    return reshape(random, seed);
  } catch {
    // What was changed before no longer has the shape that this program knows.
    return seed;
  }
}

function reshape(random: Random, seed: Uint8Array): Uint8Array {
  const objects = unpackVault(seed);
  const names = [...objects.keys()].sort();
  if (names.length === 0) return seed;
  const name = pick(random, names);
  if (random.below(6) === 0) {
    changeNames(random, objects, name, names);
    return packVault(objects);
  }
  if (name.endsWith('.gap') || name.endsWith('.json')) {
    objects.set(name, Buffer.from(reshapeDocument('checksum')!(random, objects.get(name)!)));
    return packVault(objects);
  }
  const blocks = cutBlocks(objects.get(name)!);
  if (blocks === null) return seed;
  changeBlocks(random, blocks);
  writeBlocks(random, objects, names, name, blocks);
  return packVault(objects);
}

function changeNames(random: Random, objects: Objects, name: string, names: readonly string[]): void {
  const bytes = objects.get(name)!;
  if (random.below(2) === 0) objects.delete(name);
  const other = pick(random, names);
  const slash = name.lastIndexOf('/') + 1;
  const changed = mutate(random, Buffer.from(name.slice(slash)), [Buffer.from(other.slice(slash))]);
  objects.set(name.slice(0, slash) + Buffer.from(changed).toString('latin1').slice(0, 120), bytes);
}

/** Null where it is no log file, or not a whole one. */
export function cutBlocks(bytes: Buffer): Block[] | null {
  const blocks: Block[] = [];
  try {
    for (let at = 0; at < bytes.length; ) {
      const headerEnd = at + PREFIX_BYTES + bytes.readUInt32LE(at + 4);
      const header = JSON.parse(bytes.toString('utf8', at + PREFIX_BYTES, headerEnd)) as Header;
      const end = header.parts.reduce((sum, { storedBytes }) => sum + storedBytes, headerEnd);
      if (!(end > at) || end > bytes.length) return null;
      const digest = bytes.toString('hex', at + 8, at + PREFIX_BYTES);
      blocks.push({ header, digest, parts: bytes.subarray(headerEnd, end) });
      at = end;
    }
  } catch {
    return null;
  }
  return blocks.length === 0 ? null : blocks;
}

function changeBlocks(random: Random, blocks: Block[]): void {
  const at = random.below(blocks.length);
  const block = blocks[at]!;
  switch (random.below(6)) {
    case 0:
      blocks.splice(at, 1);
      return;
    case 1:
      blocks.splice(random.below(blocks.length + 1), 0, structuredClone(pick(random, blocks)));
      return;
    case 2:
    case 3:
      block.header = changeJson(random, block.header);
      return;
    default:
      changePart(random, block);
  }
}

/** Another content of a part that is stored as it is, and a header that says so. */
function changePart(random: Random, block: Block): void {
  const { parts } = block.header as Header;
  const place = random.below(Math.max(1, parts.length));
  const part = parts[place];
  if (part === undefined) return;
  const start = parts.slice(0, place).reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  const stored = Buffer.from(
    mutate(random, block.parts.subarray(start, start + part.storedBytes), [block.parts]),
  );
  const isPlain = part.storedBytes === part.plainBytes;
  block.parts = Buffer.concat([
    block.parts.subarray(0, start),
    stored,
    block.parts.subarray(start + part.storedBytes),
  ]);
  part.storedBytes = stored.length;
  part.sha256 = sha256(stored);
  if (isPlain) part.plainBytes = stored.length;
}

/** The blocks of the file that was changed, and behind it those of the others, so that each names the one before. */
function writeBlocks(
  random: Random,
  objects: Objects,
  names: readonly string[],
  changed: string,
  blocks: readonly Block[],
): void {
  const isLinked = random.below(4) !== 0;
  let previous: string | null = null;
  for (const name of names.filter((one) => one.endsWith('.log'))) {
    const own = name === changed ? blocks : cutBlocks(objects.get(name)!);
    const written: Buffer[] = [];
    for (const { header, parts } of own ?? []) {
      const isFirst: boolean = (header as Header | null)?.previous === null;
      if (isLinked && typeof header === 'object' && header !== null) {
        (header as Header).previous = isFirst ? null : previous;
      }
      const framed = frameHeader(writeJson(random, header, 0));
      previous = framed.toString('hex', 8, PREFIX_BYTES);
      written.push(framed, parts);
    }
    if (own !== null) objects.set(name, Buffer.concat(written));
  }
}
