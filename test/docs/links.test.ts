/** Every link of every page leads somewhere, and every page is found from the index of the documentation. */
import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { readPage } from '../../scripts/site/markdown.ts';
import { followLink, judgeLink, PAGES } from './pages.ts';

const INDEX = 'docs/README.md';

test('each link of each page leads to a file that is there, and to a heading that it has', () => {
  const broken = [...PAGES].flatMap(([path, page]) =>
    page.links.flatMap(({ target, line }) => {
      const fault = judgeLink(path, target, PAGES);
      return fault === null ? [] : [`${path}:${line}: ${target}: ${fault}`];
    }),
  );
  assert.deepEqual(broken, []);
});

test('a link that leads nowhere is found', () => {
  const pages = new Map([['docs/a.md', readPage('# Über `a`: what, and why\n\n## Twice\n\n## Twice\n')]]);
  const judge = (target: string) => judgeLink('docs/a.md', target, pages);
  for (const good of [
    ...['a.md', '#twice', '#twice-1', 'a.md#über-a-what-and-why', '../package.json', '../docs/'],
    ...['https://a.example/b', 'mailto:a@a.example'],
  ]) {
    assert.equal(judge(good), null, good);
  }
  assert.equal(judge('b.md'), 'there is no such file');
  assert.equal(judge('#twice-2'), 'the page has no such heading');
  assert.equal(judge('../../elsewhere'), 'leads out of the project');
});

test('each page of the documentation has one row in the index, or in the index of its folder', () => {
  for (const path of PAGES.keys()) {
    if (!path.startsWith('docs/') || path === INDEX) continue;
    const index = indexOf(path);
    const rows = PAGES.get(index)!.links.filter(({ target }) => followLink(index, target)?.path === path);
    assert.equal(rows.length, 1, `${path} is ${rows.length} times in ${index}`);
  }
});

/** A folder that has an index is listed there; the index itself in the one above. */
function indexOf(path: string): string {
  const own = `${dirname(path)}/README.md`;
  return own !== path && PAGES.has(own) ? own : INDEX;
}

test('each page is reached from the index', () => {
  const reached = new Set([INDEX]);
  for (const path of reached) {
    for (const { target } of PAGES.get(path)?.links ?? []) {
      const to = followLink(path, target);
      if (to !== null && PAGES.has(to.path)) reached.add(to.path);
    }
  }
  const missed = [...PAGES.keys()].filter((path) => path.startsWith('docs/') && !reached.has(path));
  assert.deepEqual(missed, []);
});
