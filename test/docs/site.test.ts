/** The site of the pages: built whole, with links that lead somewhere, and nothing from elsewhere. */
import assert from 'node:assert/strict';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildSite, urlOf } from '../../scripts/site/build.ts';
import { readNavigation } from '../../scripts/site/navigation.ts';
import { renderMarkdown } from '../../scripts/site/render.ts';
import { PAGES, ROOT } from './pages.ts';

describe('the site', () => {
  let out: string;
  const pages = new Map<string, string>();

  before(() => {
    out = mkdtempSync(join(tmpdir(), 'eventcore-site-'));
    buildSite(ROOT, out);
    for (const path of globSync('**/*.html', { cwd: out })) {
      pages.set(path, readFileSync(join(out, path), 'utf8'));
    }
  });
  after(() => rmSync(out, { recursive: true, force: true }));

  it('has each page, under its title', () => {
    for (const [path, { headings }] of PAGES) {
      const html = pages.get(urlOf(path));
      assert.ok(html !== undefined, path);
      assert.match(html, /<title>[^<]+<\/title>/, path);
      assert.ok(html.includes(`id="${headings[0]!.anchor}"`), path);
    }
  });

  it('has links that lead to files and headings that are there', () => {
    const broken: string[] = [];
    for (const [path, html] of pages) {
      for (const [, target] of html.matchAll(/\b(?:href|src|srcset)="([^"]*)"/g)) {
        const fault = judge(path, target!);
        if (fault !== null) broken.push(`${path}: ${target}: ${fault}`);
      }
    }
    assert.deepEqual(broken, []);
  });

  function judge(from: string, target: string): string | null {
    if (/^(?:https?|mailto):/.test(target)) return null;
    const [path = '', anchor = ''] = target.split('#');
    const found = path === '' ? from : join(dirname(from), path);
    if (!existsSync(join(out, found))) return 'there is no such file';
    return anchor === '' || pages.get(found)?.includes(`id="${anchor}"`) ? null : 'there is no such heading';
  }

  it('loads nothing from elsewhere', () => {
    const elsewhere = /<(?:script|img|link|source|iframe)\b[^>]*\b(?:src|href|srcset)="(?:https?:)?\/\//;
    for (const [path, html] of pages) assert.doesNotMatch(html, elsewhere, path);
    assert.doesNotMatch(readFileSync(join(out, 'site.css'), 'utf8'), /@import|url\(/);
  });

  it('knows in its search where each part of a page is', () => {
    const index = readFileSync(join(out, 'search-index.js'), 'utf8');
    const sections = JSON.parse(index.slice(index.indexOf('['), index.lastIndexOf(';')));
    assert.ok(sections.length > 100);
    for (const { url } of sections) assert.equal(judge('index.html', url), null, url);
  });
});

it('the navigation is made of the lists under the headings of the index', () => {
  const index =
    '# Index\n\n[no](no.md)\n\n## One\n\n- [A `b`](a.md): c\n- [D](../d/README.md): [part](e.md)\n\n### Two\n\n- [F](f.ts)\n';
  assert.deepEqual(readNavigation('docs/README.md', index), [
    {
      title: 'One',
      level: 2,
      links: [
        { text: 'A b', path: 'docs/a.md', isBelow: false },
        { text: 'D', path: 'd/README.md', isBelow: false },
        { text: 'part', path: 'docs/e.md', isBelow: true },
      ],
    },
    { title: 'Two', level: 3, links: [] },
  ]);
});

it('what is typed in a terminal stands out from what it prints, and nothing of it is taken for HTML', () => {
  const { html } = renderMarkdown('# T\n\n```console\n$ a <b>\nc & d\n```\n\n[x](y)\n', () => null);
  assert.match(html, /<b>a &lt;b&gt;<\/b>\n<span class="printed">c &amp; d<\/span>/);
  assert.match(html, /<span>x<\/span>/);
});
