import { type ByteSource, byteSource } from '../byte-source.ts';
import { UUID_TEXT_BYTES } from '../uuid-text.ts';

/**
 * Cuts JSON texts into what they share and what differs. The value of each string and each number, `true`, `false` and
 * `null` becomes a slot; all between two slots (keys, punctuation, spaces) is a literal. Texts with the same literals
 * have the same template.
 *
 * The templates of one chunk stand in trees, one for each type of event: a node is a literal, and its children are the
 * literals that were seen behind the next slot. A text walks down its tree, and where no child fits, it grows one. The
 * text is never judged: whatever it is, its literals and values put together are the text.
 */
export interface TemplateTree {
  source: ByteSource;
  /** By root (type of event) plus one, its first child; -1: none yet. */
  roots: Int32Array;
  rootsUsed: number;
  nodes: number;
  readonly literalStarts: Int32Array;
  readonly literalLengths: Int32Array;
  /** What comes behind the literal. */
  readonly behind: Uint8Array;
  readonly parents: Int32Array;
  readonly firstChildren: Int32Array;
  readonly nextSiblings: Int32Array;
  /** The template that ends with this literal; -1: none. */
  readonly templates: Int32Array;
  /** Bytes of all literals. */
  literalBytes: number;
  /** What comes behind the literal that was found last. */
  behindFound: number;
  /** For each template the node of its last literal. */
  readonly leaves: number[];
  /** Places of the values of all texts, one behind the other. */
  valueStarts: Uint32Array;
  valueLengths: Uint32Array;
  values: number;
}

/** Behind the last literal of a text comes nothing; else the value of a string, or a number or word. */
const NOTHING = 0;
const STRING = 1;
const WORD = 2;

const MAX_NODES = 4096;
/** Texts with more values than this are one value as a whole. */
export const MAX_SLOTS = 255;
const MAX_LITERAL_BYTES = 4096;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const HYPHEN = 0x2d;

/** Bytes that begin a number or a word, and bytes that can stand in one. */
const BEGINS_WORD = flags('-0123456789tfn');
const IN_WORD = flags('-+.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_');
const IS_SPACE = flags(' \t\n\r');

function flags(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}

export function makeTemplateTree(): TemplateTree {
  return {
    source: byteSource(new Uint8Array(0)),
    roots: new Int32Array(64).fill(-1),
    rootsUsed: 0,
    nodes: 0,
    literalStarts: new Int32Array(MAX_NODES),
    literalLengths: new Int32Array(MAX_NODES),
    behind: new Uint8Array(MAX_NODES),
    parents: new Int32Array(MAX_NODES),
    firstChildren: new Int32Array(MAX_NODES),
    nextSiblings: new Int32Array(MAX_NODES),
    templates: new Int32Array(MAX_NODES),
    literalBytes: 0,
    behindFound: NOTHING,
    leaves: [],
    valueStarts: new Uint32Array(1 << 12),
    valueLengths: new Uint32Array(1 << 12),
    values: 0,
  };
}

/** Starts over with texts that lie in `source`. */
export function clearTree(tree: TemplateTree, source: ByteSource): void {
  tree.source = source;
  tree.roots.fill(-1, 0, tree.rootsUsed);
  tree.rootsUsed = 0;
  tree.nodes = 0;
  tree.literalBytes = 0;
  tree.leaves.length = 0;
  tree.values = 0;
}

/** The root of texts that are one value each, whatever they are, and the nodes that are kept for it. */
const WHOLE = -1;
const WHOLE_NODES = 2;

/** Cuts one text: appends its values and gives the number of its template. */
export function addText(tree: TemplateTree, root: number, start: number, length: number): number {
  if (tree.values + MAX_SLOTS >= tree.valueStarts.length) growValues(tree);
  if (root + 1 >= tree.rootsUsed) useRoot(tree, root);
  const { values } = tree;
  const template = walk(tree, root, start, start + length);
  if (template !== -1) return template;
  tree.values = values;
  return addWhole(tree, start, length);
}

function useRoot(tree: TemplateTree, root: number): void {
  tree.rootsUsed = root + 2;
  if (tree.rootsUsed <= tree.roots.length) return;
  const roots = new Int32Array(tree.rootsUsed * 2).fill(-1);
  roots.set(tree.roots);
  tree.roots = roots;
}

function growValues(tree: TemplateTree): void {
  const capacity = tree.valueStarts.length * 2;
  const starts = new Uint32Array(capacity);
  const lengths = new Uint32Array(capacity);
  starts.set(tree.valueStarts);
  lengths.set(tree.valueLengths);
  tree.valueStarts = starts;
  tree.valueLengths = lengths;
}

/** -1 when the text is better kept as a whole. */
function walk(tree: TemplateTree, root: number, start: number, end: number): number {
  const { literalLengths, behind, valueStarts, valueLengths } = tree;
  const lastSlot = tree.values + MAX_SLOTS;
  let node = -1;
  let at = start;
  for (;;) {
    node = findChild(tree, root, node, at, end);
    if (node === -1) return -1;
    at += literalLengths[node]!;
    const kind = behind[node]!;
    if (kind === NOTHING) return templateAt(tree, node);
    if (tree.values === lastSlot) return -1;
    const valueEnd =
      kind === STRING ? endOfValue(tree.source, at, end) : endOfWord(tree.source.bytes, at, end);
    if (valueEnd === -1) return -1;
    valueStarts[tree.values] = at;
    valueLengths[tree.values] = valueEnd - at;
    tree.values += 1;
    at = valueEnd;
  }
}

/** The child whose literal stands at `at`; a new one when there is none, and -1 when there is no room for it. */
function findChild(tree: TemplateTree, root: number, parent: number, at: number, end: number): number {
  const { nextSiblings } = tree;
  let last = -1;
  let child = parent === -1 ? tree.roots[root + 1]! : tree.firstChildren[parent]!;
  while (child !== -1) {
    if (isLiteral(tree, child, at, end)) return child;
    last = child;
    child = nextSiblings[child]!;
  }
  if (tree.nodes >= MAX_NODES - WHOLE_NODES) return -1;
  const literalEnd = endOfLiteral(tree, at, end, parent !== -1 && tree.behind[parent] === STRING);
  if (literalEnd === -1 || literalEnd - at > MAX_LITERAL_BYTES) return -1;
  const added = addNode(tree, parent, at, literalEnd, tree.behindFound);
  if (last !== -1) nextSiblings[last] = added;
  else if (parent === -1) tree.roots[root + 1] = added;
  else tree.firstChildren[parent] = added;
  return added;
}

function isLiteral(tree: TemplateTree, node: number, at: number, end: number): boolean {
  const { bytes, view } = tree.source;
  const length = tree.literalLengths[node]!;
  if (length > end - at) return false;
  const literal = tree.literalStarts[node]!;
  let i = 0;
  for (; i + 4 <= length; i += 4) if (view.getInt32(literal + i) !== view.getInt32(at + i)) return false;
  for (; i < length; i += 1) if (bytes[literal + i] !== bytes[at + i]) return false;
  const kind = tree.behind[node]!;
  if (kind === STRING) return true;
  const next = at + length;
  return kind === WORD ? next < end && BEGINS_WORD[bytes[next]!] === 1 : next === end;
}

function addNode(tree: TemplateTree, parent: number, start: number, end: number, kind: number): number {
  const node = tree.nodes;
  tree.nodes = node + 1;
  tree.literalStarts[node] = start;
  tree.literalLengths[node] = end - start;
  tree.behind[node] = kind;
  tree.literalBytes += end - start;
  tree.parents[node] = parent;
  tree.firstChildren[node] = -1;
  tree.nextSiblings[node] = -1;
  tree.templates[node] = -1;
  return node;
}

function templateAt(tree: TemplateTree, leaf: number): number {
  const known = tree.templates[leaf]!;
  if (known !== -1) return known;
  tree.templates[leaf] = tree.leaves.length;
  return tree.leaves.push(leaf) - 1;
}

/** The template of one slot and no literal: an empty literal, the value, an empty literal. */
function addWhole(tree: TemplateTree, start: number, length: number): number {
  let first = tree.roots[WHOLE + 1]!;
  if (first === -1) {
    first = addNode(tree, -1, start, start, STRING);
    tree.roots[WHOLE + 1] = first;
    tree.firstChildren[first] = addNode(tree, first, start, start, NOTHING);
  }
  tree.valueStarts[tree.values] = start;
  tree.valueLengths[tree.values] = length;
  tree.values += 1;
  return templateAt(tree, tree.firstChildren[first]!);
}

/**
 * Where the literal at `start` ends: behind the quote of a string that is no key, before a word, or with the text. -1: a
 * string in it has no end.
 */
function endOfLiteral(tree: TemplateTree, start: number, end: number, isBehindString: boolean): number {
  const { bytes } = tree.source;
  tree.behindFound = WORD;
  // Behind the value of a string stands its quote.
  let at = isBehindString ? start + 1 : start;
  while (at < end) {
    const byte = bytes[at]!;
    if (BEGINS_WORD[byte] === 1) return at;
    at += 1;
    if (byte !== QUOTE) continue;
    const close = endOfString(tree.source, at, end);
    if (close === -1) return -1;
    const next = behindSpaces(bytes, close + 1, end);
    if (next === end || bytes[next] !== COLON) {
      tree.behindFound = STRING;
      return at;
    }
    at = next + 1;
  }
  tree.behindFound = NOTHING;
  return end;
}

/**
 * As `endOfString`, but what looks like a UUID is not looked through. Were there a quote in it, the text would be cut at an
 * odd place, and still be the text.
 */
function endOfValue(source: ByteSource, start: number, end: number): number {
  const { bytes } = source;
  const close = start + UUID_TEXT_BYTES;
  const isUuid =
    close < end && bytes[close] === QUOTE && bytes[start + 8] === HYPHEN && bytes[start + 23] === HYPHEN;
  return isUuid ? close : endOfString(source, start, end);
}

/** Where the quote of a string stands whose value begins at `at`; -1: nowhere. */
function endOfString({ bytes, view }: ByteSource, start: number, end: number): number {
  let at = start;
  // Four bytes a step, as long as none of them is a quote or a backslash (Mycroft's test for a zero byte).
  for (; at + 4 <= end; at += 4) {
    const word = view.getInt32(at, true);
    const quotes = word ^ QUOTES;
    const backslashes = word ^ BACKSLASHES;
    const found = ((quotes - ONES) & ~quotes) | ((backslashes - ONES) & ~backslashes);
    if ((found & HIGH_BITS) !== 0) break;
  }
  for (; at < end; at += 1) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
  }
  return -1;
}

const QUOTES = 0x2222_2222;
const BACKSLASHES = 0x5c5c_5c5c;
const ONES = 0x0101_0101;
const HIGH_BITS = 0x8080_8080 | 0;

function endOfWord(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  while (at < end && IN_WORD[bytes[at]!] === 1) at += 1;
  return at;
}

function behindSpaces(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && IS_SPACE[bytes[at]!] === 1) at += 1;
  return at;
}

/** The literals of a template, from the first to the last, as nodes. */
export function literalsOf(tree: TemplateTree, template: number): number[] {
  const path: number[] = [];
  for (let node = tree.leaves[template]!; node !== -1; node = tree.parents[node]!) path.push(node);
  return path.reverse();
}
