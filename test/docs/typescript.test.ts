/** Programs that pages show are programs: their blocks of TypeScript are compiled against the library, as strictly as the library itself. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRun } from './not-run.ts';
import { PAGES, ROOT } from './pages.ts';

const LIBRARY = {
  'eventcore-backup': './src/index.ts',
  'eventcore-backup/testing': './src/testing/index.ts',
};

/** What the compiler says of these texts, each a module of its own. */
function compile(texts: readonly string[]): string {
  // Within the project, so that types of packages are found.
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'eventcore-docs-'));
  try {
    texts.forEach((text, at) => {
      writeFileSync(join(folder, `block-${at}.ts`), text);
    });
    const paths = Object.fromEntries(
      Object.entries(LIBRARY).map(([name, path]) => [name, [join(ROOT, path)]]),
    );
    const config = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { noEmit: true, paths, typeRoots: [join(ROOT, 'node_modules/@types')] },
      include: [],
      files: texts.map((_, at) => join(folder, `block-${at}.ts`)),
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const compiler = join(ROOT, 'node_modules/.bin/tsc');
    return spawnSync(compiler, ['-p', folder, '--pretty', 'false'], { encoding: 'utf8' }).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('blocks of TypeScript compile, and one that is wrong does not', () => {
  const blocks = [...PAGES].flatMap(([path, page]) =>
    page.blocks
      .filter((block) => block.language === 'ts' && isRun(path, block))
      .map(({ text, line }) => ({ path, line, text })),
  );
  assert.ok(blocks.length > 3, `${blocks.length} blocks`);
  const wrong = "import { readCatalog } from 'eventcore-backup';\nreadCatalog(1);\n";
  const said = compile([...blocks.map(({ text }) => text), wrong])
    .trim()
    .split('\n');
  const named = said.map((line) =>
    line.replace(/^.*block-(\d+)\.ts\((\d+)/, (_, at, row) => {
      const block = blocks[Number(at)];
      return block === undefined ? 'wrong' : `${block.path}:${block.line + Number(row) - 1} (`;
    }),
  );
  assert.equal(named.length, 1, named.join('\n'));
  assert.match(named[0]!, /^wrong.*TS2345/);
});
