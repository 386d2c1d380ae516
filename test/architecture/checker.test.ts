/** The checker of the architecture, on small made-up sources: a check that cannot fail proves nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCycle } from './cycles.ts';
import { measureFunctions } from './functions.ts';
import { readImports } from './imports.ts';
import { readSource } from './source-text.ts';
import { findBreach } from './walls.ts';

test('comments, strings, templates and patterns are told from code', () => {
  // In the second column `·` stands for a blank.
  const blanked: [string, string][] = [
    ['a // b {\nc', 'a ······\nc'],
    ['a /* {\n*/ c', 'a ····\n·· c'],
    ["f('{\\'}')", "f('····')"],
    ['f("it\'s {")', 'f("······")'],
    ['`a $' + '{b + `{$' + '{c}`} d` + e', '`··$' + '{b + `·$' + '{c}`}··` + e'],
    ['x = /[/{]\\/{/.test(y)', 'x = /·······/.test(y)'],
    ['a / b / c; // d', 'a / b / c; ····'],
    ['f(a) / 2 + "{" / 2', 'f(a) / 2 + "·" / 2'],
    ['return /}/.exec(a)', 'return /·/.exec(a)'],
    ["'open {", "'······"],
  ];
  for (const [source, expected] of blanked) {
    assert.equal(readSource(source).code, expected.replaceAll('·', ' '), source);
  }
});

test('each way to import is found, with its kind', () => {
  const source = `
    import a, { type B } from './value.ts';
    import type { C } from './type.ts';
    import type D from './default-type.ts';
    import { type E, type F } from './inline.ts';
    import './effect.ts';
    import type, { g } from './named-type.ts';
    export { h } from './reexport.ts';
    export type { I } from './reexport-type.ts';
    export const j = 'export';
    import {
      k,
      l,
    } from 'package';
    const m = await import('./dynamic.ts');
    const n = new URL('./entry.ts', import.meta.url);
    const o = new URL(p ? './either.ts' : './or.js', import.meta.url);
    const q = 'from', r = "import './string.ts'"; // import './comment.ts'
    const s = Array.from('./no.ts'), t = new URL('./no.ts', base);
  `;
  assert.deepEqual(
    readImports(source).map(({ specifier, kind, reexports }) => [specifier, kind, reexports]),
    [
      ['./value.ts', 'value', false],
      ['./type.ts', 'type', false],
      ['./default-type.ts', 'type', false],
      ['./inline.ts', 'value', false],
      ['./effect.ts', 'value', false],
      ['./named-type.ts', 'value', false],
      ['./reexport.ts', 'value', true],
      ['./reexport-type.ts', 'type', true],
      ['package', 'value', false],
      ['./dynamic.ts', 'dynamic', false],
      ['./entry.ts', 'entry', false],
      ['./either.ts', 'entry', false],
      ['./or.js', 'entry', false],
    ],
  );
  assert.equal(readImports(source)[1]?.line, 3);
});

test('a forbidden import is a breach, an allowed one is none', () => {
  const forbidden = [
    ['core/errors.ts', 'node:fs'],
    ['core/errors.ts', 'format/bundle.ts'],
    ['policy/retention.ts', 'node:crypto'],
    ['format/bundle.ts', 'node:fs'],
    ['format/bundle.ts', 'policy/retention.ts'],
    ['stores/sqlite/store.ts', 'stores/postgres/store.ts'],
    ['stores/sqlite/store.ts', 'format/bundle.ts'],
    ['stores/sqlite/store.ts', 'pg'],
    ['stores/layouts/eventcore.ts', 'stores/sqlite/store.ts'],
    ['vaults/fs/vault.ts', 'vaults/memory/vault.ts'],
    ['vaults/fs/vault.ts', 'node:http'],
    ['backup/full.ts', 'vaults/fs/vault.ts'],
    ['recovery/restore.ts', 'backup/full.ts'],
    ['testing/vault-contract.ts', 'vaults/memory/vault.ts'],
    ['cli/commands/backup.ts', 'stores/postgres/store.ts'],
    ['nowhere/new.ts', 'core/errors.ts'],
  ] as const;
  for (const [module, target] of forbidden)
    assert.notEqual(findBreach(module, target), null, `${module} ${target}`);
  const allowed = [
    ['core/vault.ts', 'core/errors.ts'],
    ['format/bundle.ts', 'node:zlib'],
    ['stores/sqlite/store.ts', 'stores/layouts/eventcore.ts'],
    ['stores/postgres/store.ts', 'pg'],
    ['cli/wire.ts', 'stores/postgres/store.ts'],
    ['cli/commands/backup.ts', 'backup/full.ts'],
    ['cli/commands/backup.ts', 'commander'],
    ['index.ts', 'vaults/fs/vault.ts'],
  ] as const;
  for (const [module, target] of allowed)
    assert.equal(findBreach(module, target), null, `${module} ${target}`);
});

test('a cycle is found, however long, and a diamond is none', () => {
  const graph = (edges: Record<string, string[]>) => new Map(Object.entries(edges));
  assert.equal(findCycle(graph({ a: ['b', 'c'], b: ['d'], c: ['d'], d: [] })), null);
  assert.deepEqual(findCycle(graph({ a: ['a'] })), ['a', 'a']);
  assert.deepEqual(findCycle(graph({ a: ['b'], b: ['c'], c: ['d', 'b'], d: [] })), ['b', 'c', 'b']);
  assert.deepEqual(findCycle(graph({ x: [], a: ['b', 'x'], b: ['x', 'a'] })), ['a', 'b', 'a']);
});

test('each kind of function is measured from its name to its last bracket', () => {
  const source = `
function plain(a: number): void {
  if (a) {
    call(a);
  }
}
export async function* generates<T extends { a: 1 }>(
  items: T[],
): AsyncGenerator<{ a: T }, Map<string, number>> {
  yield { a: items[0]! };
}
const arrow = async (a: { b: string }): Promise<{ c: string } | null> => {
  return null;
};
class Thing {
  get size(): number { return 1; }
  constructor(private a: string) {
    this.a = a;
  }
  async method(options: { create: boolean } = { create: true }): Promise<void> {
    await x;
  }
}
const object = {
  write: async (bytes) => {
    take(bytes);
  },
  shorthand(a) {
    return a;
  },
};
interface Port {
  method(a: string): Promise<{ b: string }>;
}
function isThing(a: unknown): a is { b: string } {
  return true;
}
function overload(a: string): { b: string };
const value = (a + b) * c, text = 'function no() {';
const short = (a) => a * 2;
items.forEach(function () {
  x;
});
`;
  assert.deepEqual(
    measureFunctions(source).map(({ name, lines }) => [name, lines]),
    [
      ['plain', 5],
      ['generates', 5],
      ['arrow', 3],
      ['size', 1],
      ['constructor', 3],
      ['method', 3],
      ['anonymous', 3],
      ['shorthand', 3],
      ['isThing', 3],
      ['anonymous', 3],
    ],
  );
  assert.equal(measureFunctions(`function long() {\n${'  x;\n'.repeat(100)}}`)[0]?.lines, 102);
});
