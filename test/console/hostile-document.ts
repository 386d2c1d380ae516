import type { z } from 'zod';

/** What a name might be that somebody chose to do harm in a page. */
export const HOSTILE = `"><script>alert('x')</script>&`;

type Path = readonly (string | number)[];

/** The document with the hostile text in each place where the schema takes one, all at once. */
export function makeHostile(document: unknown, schema: z.ZodType): unknown {
  const hostile = structuredClone(document);
  for (const path of textsIn(document)) {
    const before = textAt(hostile, path);
    put(hostile, path, HOSTILE);
    if (!schema.safeParse(hostile).success) put(hostile, path, before);
  }
  return hostile;
}

function textsIn(value: unknown, path: Path = []): Path[] {
  if (typeof value === 'string') return [path];
  if (typeof value !== 'object' || value === null) return [];
  const entries = Array.isArray(value) ? value.map((one, i) => [i, one] as const) : Object.entries(value);
  return entries.flatMap(([key, one]) => textsIn(one, [...path, key]));
}

type Node = Record<string | number, unknown>;

function parentOf(root: unknown, path: Path): Node {
  return path.slice(0, -1).reduce<Node>((node, key) => node[key] as Node, root as Node);
}

function textAt(root: unknown, path: Path): unknown {
  return parentOf(root, path)[path.at(-1)!];
}

function put(root: unknown, path: Path, value: unknown): void {
  parentOf(root, path)[path.at(-1)!] = value;
}
