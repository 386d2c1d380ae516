import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { type NavigationGroup, readNavigation } from './navigation.ts';
import { renderMarkdown } from './render.ts';
import { readSections, type Section } from './search.ts';
import { frame } from './template.ts';

/** The pages of the project as a site of files that need no server, and load nothing from elsewhere. */

const PAGES = ['*.md', 'docs/**/*.md', 'examples/**/*.md', 'rescue/**/*.md', 'deploy/**/*.md'];
const INDEX = 'docs/README.md';
/** Shown as they are; all other files that a page links to become a page of code. */
const PICTURES = /\.(?:png|svg|jpg)$/;

export function buildSite(root: string, out: string): { pages: number } {
  rmSync(out, { recursive: true, force: true });
  const paths = globSync(PAGES, { cwd: root }).sort();
  const texts = new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
  const navigation = readNavigation(INDEX, texts.get(INDEX)!);
  const files = new Set<string>();
  const sections: Section[] = [];
  for (const [path, text] of texts) {
    const rewrite = (target: string) => rewriteLink(root, path, target, files);
    const url = urlOf(path);
    write(out, url, renderPage(url, renderMarkdown(text, rewrite), navigation));
    sections.push(...readSections(url, text));
  }
  for (const path of files) {
    if (PICTURES.test(path)) copy(root, out, path);
    else write(out, `${path}.html`, renderPage(`${path}.html`, codePage(root, path), navigation));
  }
  for (const name of ['site.css', 'site.js']) copy(join(import.meta.dirname, 'assets'), out, name);
  copy(join(root, 'src/console/assets'), out, 'icon.svg');
  // A script, not JSON: pages that are opened as files may not fetch.
  write(out, 'search-index.js', `globalThis.searchIndex = ${JSON.stringify(sections)};\n`);
  return { pages: texts.size };
}

/** Where a page of Markdown lies in the site. */
export function urlOf(path: string): string {
  return path.replace(/(?:^|(?<=\/))README\.md$/, 'index.html').replace(/\.md$/, '.html');
}

function renderPage(
  url: string,
  { html, title, headings }: ReturnType<typeof renderMarkdown>,
  navigation: readonly NavigationGroup[],
): string {
  const to = (target: string) => relative(dirname(url), target);
  const groups = navigation.map(({ title: name, level, links }) => ({
    ...{ name, level },
    links: links.map(({ path, ...link }) => ({ ...link, url: to(urlOf(path)), isHere: urlOf(path) === url })),
  }));
  return frame({ title, html, headings, groups, to });
}

/** What a link of a page leads to in the site; null where that has nothing to lead to. Files that are led to are noted. */
function rewriteLink(root: string, page: string, target: string, files: Set<string>): string | null {
  if (/^(?:[a-z][a-z0-9+.-]*:|#)/i.test(target)) return target;
  const [path = '', anchor] = target.split('#');
  const found = normalize(join(dirname(page), path)).replace(/\/$/, '');
  const hash = anchor === undefined ? '' : `#${anchor}`;
  const to = (url: string) => `${relative(dirname(urlOf(page)), url)}${hash}`;
  if (found.endsWith('.md')) return to(urlOf(found));
  if (!existsSync(join(root, found))) return null;
  if (statSync(join(root, found)).isDirectory()) {
    return existsSync(join(root, found, 'README.md')) ? to(urlOf(join(found, 'README.md'))) : null;
  }
  files.add(found);
  return PICTURES.test(found) ? to(found) : to(`${found}.html`);
}

function codePage(root: string, path: string): ReturnType<typeof renderMarkdown> {
  const text = readFileSync(join(root, path), 'utf8');
  return renderMarkdown(`# ${path}\n\n\`\`\`\`\`\n${text}\`\`\`\`\`\n`, (target) => target);
}

function write(out: string, path: string, text: string): void {
  mkdirSync(dirname(join(out, path)), { recursive: true });
  writeFileSync(join(out, path), text);
}

function copy(from: string, out: string, path: string): void {
  mkdirSync(dirname(join(out, path)), { recursive: true });
  cpSync(join(from, path), join(out, path));
}
