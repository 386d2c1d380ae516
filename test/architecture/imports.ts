import { lineOf, readSource } from './source-text.ts';

export interface ImportEdge {
  /** As written: `../core/errors.ts`, `node:fs`, `pg`. */
  readonly specifier: string;
  /**
   * `value`: loaded with the module. `type`: gone when it runs. `dynamic`: `import()`. `entry`: the file of a
   * thread or process, `new URL('…', import.meta.url)`.
   */
  readonly kind: 'value' | 'type' | 'dynamic' | 'entry';
  /** `export … from`. */
  readonly reexports: boolean;
  readonly line: number;
}

/** All that a source imports, in its order. */
export function readImports(source: string): ImportEdge[] {
  const { code, strings } = readSource(source);
  const edges: ImportEdge[] = [];
  for (const [at, specifier] of strings) {
    const edge = readEdge(code.slice(0, at), code.slice(at + specifier.length + 2), specifier);
    if (edge !== null) edges.push({ ...edge, line: lineOf(code, at) });
  }
  return edges;
}

function readEdge(before: string, after: string, specifier: string): Omit<ImportEdge, 'line'> | null {
  if (/\b(?:import|require)\s*\(\s*$/.test(before)) return { specifier, kind: 'dynamic', reexports: false };
  if (/\bimport\s*$/.test(before)) return { specifier, kind: 'value', reexports: false };
  if (isEntry(before, after, specifier)) return { specifier, kind: 'entry', reexports: false };
  if (!/\bfrom\s*$/.test(before)) return null;
  const statements = [...before.matchAll(/\b(import|export)\b(?!\s*[.(])\s*(type\b(?!\s*(?:,|from\b)))?/g)];
  const last = statements.at(-1);
  if (last === undefined) return null;
  return { specifier, kind: last[2] === undefined ? 'value' : 'type', reexports: last[1] === 'export' };
}

function isEntry(before: string, after: string, specifier: string): boolean {
  return (
    specifier.startsWith('.') &&
    (/\bnew\s+URL\s*\(\s*$/.test(before) || /\bnew\s+URL\s*\([^;]*[?:]\s*$/.test(before)) &&
    /^[^;]*\bimport\.meta\.url/.test(after)
  );
}
