/** Reads the sources and fails where the rooms, sizes and manners that ARCHITECTURE.md states are not kept. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { findCycle } from './architecture/cycles.ts';
import { measureFunctions } from './architecture/functions.ts';
import { type ImportEdge, readImports } from './architecture/imports.ts';
import { readSource } from './architecture/source-text.ts';
import { findBreach, WALLS } from './architecture/walls.ts';

const ROOT = join(import.meta.dirname, '..');
const MAX_FILE_LINES = 500;
const MAX_FUNCTION_LINES = 70;

/** Functions that may be longer than MAX_FUNCTION_LINES, by `path name`, with the reason. They only shrink. */
const LONG_FUNCTIONS: Readonly<Record<string, { lines: number; reason: string }>> = {};

/** The only files that pass on what other files export. */
const BARRELS = ['index.ts', 'testing/index.ts'];

const sources = readAll('src/**/*.ts');
const allFiles = new Map([...sources, ...readAll('{test,bench,scripts,examples}/**/*.{ts,mjs}')]);

test('there are sources to check', () => {
  assert.ok(sources.size > 10, `only ${sources.size} files under src/`);
  for (const { room } of WALLS) assert.ok(room === 'index.ts' || room.endsWith('/'), room);
});

test('every room imports only what its wall allows', () => {
  const breaches = eachImport((module, edge, target) => {
    const breach = findBreach(module, target);
    return breach === null ? [] : [`src/${module}:${edge.line} ${breach}`];
  });
  assert.deepEqual(breaches, []);
});

test('no module imports itself by way of others', () => {
  const graph = new Map<string, string[]>();
  for (const path of sources.keys()) graph.set(path.slice('src/'.length), []);
  eachImport((module, edge, target) => {
    if (edge.kind === 'value' || edge.kind === 'dynamic') graph.get(module)?.push(target);
    return [];
  });
  assert.equal(findCycle(graph)?.join(' → ') ?? null, null);
});

test('what deals with keys is loaded where something is sealed, and the client of KMS by its adapter', () => {
  const eager = eachImport((module, edge, target) => {
    const isKeys = target.startsWith('keys/') && target !== 'keys/load.ts' && !module.startsWith('keys/');
    const isHeavy = target === 'age-encryption' && !module.startsWith('keys/');
    const isLoaded = edge.kind === 'value' && (isKeys || isHeavy || target.startsWith('@aws-sdk/'));
    return isLoaded ? [`src/${module}:${edge.line} loads ${target}`] : [];
  });
  assert.deepEqual(eager, []);
});

test('only the two public faces pass on what others export, name by name', () => {
  const found = eachImport((module, edge) =>
    edge.reexports && !BARRELS.includes(module)
      ? [`src/${module}:${edge.line} passes on ${edge.specifier}`]
      : [],
  );
  for (const [path, source] of sources) {
    if (/^\s*export\s*\*/m.test(source)) found.push(`${path} exports *`);
    if (/^\s*export\s+default\b/m.test(source)) found.push(`${path} has a default export`);
    if (path.endsWith('/index.ts') && !BARRELS.includes(path.slice('src/'.length))) found.push(path);
  }
  assert.deepEqual(found, []);
});

test(`no file is longer than ${MAX_FILE_LINES} lines`, () => {
  const long = [...allFiles].filter(([, source]) => countLines(source) > MAX_FILE_LINES);
  assert.deepEqual(
    long.map(([path, source]) => `${path}: ${countLines(source)}`),
    [],
  );
});

test(`no function is longer than ${MAX_FUNCTION_LINES} lines`, () => {
  const long: string[] = [];
  for (const [path, source] of sources) {
    for (const { name, line, lines } of measureFunctions(source)) {
      const allowed = LONG_FUNCTIONS[`${path} ${name}`]?.lines ?? MAX_FUNCTION_LINES;
      if (lines > allowed) long.push(`${path}:${line} ${name} has ${lines} lines`);
    }
  }
  assert.deepEqual(long, []);
});

test('each exception for a long function is still needed and has a reason', () => {
  for (const [key, { lines, reason }] of Object.entries(LONG_FUNCTIONS)) {
    const [path, name] = key.split(' ');
    const found = measureFunctions(sources.get(path!) ?? '').filter((size) => size.name === name);
    assert.ok(reason.length > 20, `${key} has no reason`);
    assert.equal(Math.max(...found.map((size) => size.lines)), lines, `${key}: lower the limit`);
  }
});

test('no source puts anything off', () => {
  assert.deepEqual(findAll(sources, /\b(?:TODO|FIXME|XXX|HACK)\b/), []);
});

test('no source turns off the checks of the compiler or the linter', () => {
  const code = new Map([...allFiles].map(([path, source]) => [path, readSource(source).code]));
  assert.deepEqual(findAll(code, /\bas any\b|[:<]\s*any\b/), []);
  // Written so that this line does not find itself.
  assert.deepEqual(findAll(allFiles, /@ts-(?:ignor[e]|nochec[k]|expect-erro[r])|biome-ignor[e]/), []);
});

test('file names are in kebab-case', () => {
  const odd = [...allFiles.keys()].filter(
    (path) => !/^(?:[a-z0-9-]+\/)*[a-z0-9-]+(?:\.[a-z0-9]+)+$/.test(path),
  );
  assert.deepEqual(odd, []);
});

function readAll(pattern: string): Map<string, string> {
  const paths = globSync(pattern, { cwd: ROOT }).sort();
  return new Map(paths.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]));
}

/** `target` is the path under src/, or the name of the package. */
function eachImport(check: (module: string, edge: ImportEdge, target: string) => string[]): string[] {
  return [...sources].flatMap(([path, source]) => {
    const module = path.slice('src/'.length);
    return readImports(source).flatMap((edge) => check(module, edge, resolveTarget(module, edge.specifier)));
  });
}

function resolveTarget(module: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  // What starts a thread or a process names its file as it is called when built, too.
  return posix.join(posix.dirname(module), specifier).replace(/\.js$/, '.ts');
}

function countLines(source: string): number {
  return source.split('\n').length - 1;
}

function findAll(files: ReadonlyMap<string, string>, pattern: RegExp): string[] {
  return [...files].flatMap(([path, source]) =>
    source.split('\n').flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1} ${line.trim()}`] : [])),
  );
}
