import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { type Page, readPage } from '../../scripts/site/markdown.ts';

/** The pages of the project, by their paths from its root, such as `docs/keys.md`. */

export const ROOT = join(import.meta.dirname, '../..');

export const PAGES: ReadonlyMap<string, Page> = new Map(
  globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md', 'rescue/**/*.md', 'deploy/**/*.md'], { cwd: ROOT })
    .sort()
    .map((path) => [path, readPage(readFileSync(join(ROOT, path), 'utf8'))]),
);

/** What a link of a page leads to: a path from the root and an anchor, each '' where there is none; null when it leads outside. */
export function followLink(page: string, target: string): { path: string; anchor: string } | null {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return null;
  const [path = '', anchor = ''] = target.split('#');
  const found = path === '' ? page : normalize(join(dirname(page), path)).replace(/\/$/, '');
  return { path: found, anchor };
}

/** Why a link leads nowhere; null when it does lead somewhere. */
export function judgeLink(page: string, target: string, pages: ReadonlyMap<string, Page>): string | null {
  const to = followLink(page, target);
  if (to === null) return null;
  if (to.path.startsWith('..')) return 'leads out of the project';
  if (!pages.has(to.path) && !existsSync(join(ROOT, to.path))) return 'there is no such file';
  if (to.anchor === '') return null;
  const anchors = pages.get(to.path)?.headings.map(({ anchor }) => anchor) ?? [];
  return anchors.includes(to.anchor) ? null : 'the page has no such heading';
}
