import { dirname, join, normalize } from 'node:path';
import { markdown, plainText, readPage } from './markdown.ts';

/** What a site's navigation is made of: the index of the documentation, whose lists stand under headings. */

export interface NavigationGroup {
  readonly title: string;
  readonly level: number;
  /** `isBelow`: named beside the one before it, as a part of that. */
  readonly links: readonly { readonly text: string; readonly path: string; readonly isBelow: boolean }[];
}

export function readNavigation(index: string, text: string): NavigationGroup[] {
  const { headings, links } = readPage(text);
  return headings
    .filter(({ level }) => level > 1)
    .map(({ text: title, level, line }, at, all) => {
      const end = all[at + 1]?.line ?? Number.POSITIVE_INFINITY;
      const pages = links
        .filter((link) => link.line > line && link.line < end && /\.md$/.test(link.target))
        .map((link) => ({
          text: plainText(markdown.parseInline(link.text, {})[0]!),
          path: normalize(join(dirname(index), link.target)),
          isBelow: /^[a-z]/.test(link.text),
        }));
      return { title, level, links: pages };
    });
}
