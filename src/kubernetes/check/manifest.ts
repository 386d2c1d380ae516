import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseAllDocuments,
  type Tags,
} from 'yaml';
import type { ManifestFinding } from './finding.ts';

/** A place in a manifest, from its top. */
export type FieldPath = readonly (string | number)[];

/** One resource of Kubernetes, as it stands in a file. */
export interface Manifest {
  readonly file: string;
  /** Which document of the file, from 1. */
  readonly document: number;
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Null where none is said: that of who applies it. */
  readonly namespace: string | null;
  readonly value: Readonly<Record<string, unknown>>;
  /** The line of a place, or of what is nearest above it, from 1. */
  readonly lineOf: (path: FieldPath) => number;
  /** What is commented above or beside a key; empty where nothing is. */
  readonly commentAt: (path: FieldPath) => string;
}

export interface ManifestsRead {
  readonly manifests: readonly Manifest[];
  readonly findings: readonly ManifestFinding[];
}

const MOST_DOCUMENTS = 5_000;
/** How often one thing may stand for others: what is a few lines could else fill the memory. */
const MOST_ALIASES = 100;
const DEEPEST_LIST = 3;

/**
 * Reads all documents of a file, as kubectl does: YAML 1.1, where `on` is true. What is no YAML, or no manifest, is a finding.
 * Lists of kind List are taken apart. Never throws.
 */
export function readManifests(text: string, file: string): ManifestsRead {
  const lines = new LineCounter();
  const documents = parse(text, lines);
  const reads = documents
    .slice(0, MOST_DOCUMENTS)
    .map((document, i) => readDocument(document, { file, i, lines }));
  const fault = { file, document: MOST_DOCUMENTS + 1, line: 1 };
  const message = `more than ${MOST_DOCUMENTS} documents; the rest was not looked at`;
  return {
    manifests: reads.flatMap(({ manifests }) => manifests),
    findings: [
      ...reads.flatMap(({ findings }) => findings),
      ...(documents.length > MOST_DOCUMENTS
        ? [fileFinding('not_yaml', fault, message, 'split the file')]
        : []),
    ],
  };
}

function parse(text: string, lineCounter: LineCounter): readonly Document.Parsed<ParsedNode>[] {
  const options = { version: '1.1', customTags: asKubernetes, lineCounter, prettyErrors: false } as const;
  const documents = parseAllDocuments(text, options);
  return Array.isArray(documents) ? documents : [];
}

/** Kubernetes takes times, and numbers to base 60, for the text that they are. */
function asKubernetes(tags: Tags): Tags {
  return tags.filter(
    (tag) =>
      typeof tag === 'string' ||
      (!('format' in tag && tag.format === 'TIME') && !tag.tag.endsWith(':timestamp')),
  );
}

interface Place {
  readonly file: string;
  /** From 0. */
  readonly i: number;
  readonly lines: LineCounter;
}

const NOTHING: ManifestsRead = { manifests: [], findings: [] };

function readDocument(document: Document.Parsed<ParsedNode>, place: Place): ManifestsRead {
  const { file, i, lines } = place;
  const [fault] = document.errors;
  if (fault !== undefined) {
    const line = lines.linePos(fault.pos[0]).line;
    const reason = fault.message
      .split('\n')[0]!
      .replace(/\.?$/, '')
      .replace(/^./, (letter) => letter.toLowerCase());
    return refused(place, line, `not valid YAML: ${reason}`, fault.code === 'DUPLICATE_KEY' ? TWICE : null);
  }
  const node = document.contents;
  const line = lines.linePos(node?.range[0] ?? 0).line;
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch {
    // The library's message names what it found, which may be a secret.
    return refused(
      place,
      line,
      'its aliases stand for too much, or for what is not there',
      'write out what they stand for',
    );
  }
  if (value === null || value === undefined) return NOTHING;
  return takeApart(value, { file, document: i + 1, root: document, lines, base: [] }, 0);
}

const TWICE = 'remove one of the two: which one counts differs between programs';

function refused({ file, i }: Place, line: number, message: string, hint: string | null): ManifestsRead {
  return {
    manifests: [],
    findings: [fileFinding('not_yaml', { file, document: i + 1, line }, message, hint)],
  };
}

function fileFinding(
  rule: 'not_yaml' | 'not_a_manifest',
  place: Pick<ManifestFinding, 'file' | 'document' | 'line'>,
  message: string,
  hint: string | null,
): ManifestFinding {
  return { severity: 'error', rule, ...place, resource: null, path: '', message, hint };
}

interface Source {
  readonly file: string;
  readonly document: number;
  readonly root: Document.Parsed<ParsedNode>;
  readonly lines: LineCounter;
  /** Where in the document the resource stands. */
  readonly base: FieldPath;
}

function takeApart(value: unknown, source: Source, depth: number): ManifestsRead {
  const line = lineAt(source, []);
  if (!isRecord(value) || typeof value.apiVersion !== 'string' || typeof value.kind !== 'string') {
    const message = 'no manifest of Kubernetes: it needs apiVersion and kind';
    const hint = 'name only manifests; what a Helm chart is made of is none before `helm template`';
    const { file, document } = source;
    return {
      manifests: [],
      findings: [fileFinding('not_a_manifest', { file, document, line }, message, hint)],
    };
  }
  const { items } = value;
  if (!value.kind.endsWith('List') || !Array.isArray(items) || depth >= DEEPEST_LIST) {
    return { manifests: [manifestOf(value, source)], findings: [] };
  }
  const reads = items.map((item: unknown, i) =>
    takeApart(item, { ...source, base: [...source.base, 'items', i] }, depth + 1),
  );
  return {
    manifests: reads.flatMap(({ manifests }) => manifests),
    findings: reads.flatMap(({ findings }) => findings),
  };
}

function manifestOf(value: Record<string, unknown>, source: Source): Manifest {
  const metadata = isRecord(value.metadata) ? value.metadata : {};
  const { name, generateName, namespace } = metadata;
  return {
    ...{ file: source.file, document: source.document, value },
    ...{ apiVersion: String(value.apiVersion), kind: String(value.kind) },
    name:
      typeof name === 'string'
        ? name
        : typeof generateName === 'string'
          ? `${generateName}…`
          : '(without a name)',
    namespace: typeof namespace === 'string' ? namespace : null,
    lineOf: (path) => lineAt(source, path),
    commentAt: (path) => commentOf(source, path),
  };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Of the key where there is one: a value may begin a line below. */
function lineAt(source: Source, path: FieldPath): number {
  const { root, lines, base } = source;
  let offset = root.contents?.range[0] ?? 0;
  for (const { key, value } of walk(root, [...base, ...path]))
    offset = key?.range?.[0] ?? value?.range?.[0] ?? offset;
  return lines.linePos(offset).line;
}

function commentOf({ root, base }: Source, path: FieldPath): string {
  const steps = [...walk(root, [...base, ...path])];
  if (steps.length < base.length + path.length) return '';
  const { key, value } = steps.at(-1) ?? {};
  const said = [key?.commentBefore, value?.commentBefore, value?.comment];
  return said
    .filter((text) => typeof text === 'string')
    .join(' ')
    .trim();
}

interface Step {
  readonly key: Node | null;
  readonly value: Node | null;
}

/** Down a path, as far as it goes. */
function* walk(root: Document.Parsed<ParsedNode>, path: FieldPath): Generator<Step> {
  let node: unknown = root.contents;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(root);
    const found = isMap(node) ? pairOf(node.items, step) : isSeq(node) ? itemOf(node.items, step) : null;
    if (found === null) return;
    yield found;
    node = found.value;
  }
}

function pairOf(items: readonly unknown[], step: string | number): Step | null {
  const pair = items.find(
    (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
  );
  if (!isPair(pair)) return null;
  return { key: pair.key as Node, value: pair.value as Node | null };
}

function itemOf(items: readonly unknown[], step: string | number): Step | null {
  const item = items[Number(step)];
  return item === undefined ? null : { key: null, value: item as Node };
}
