import MarkdownIt from 'markdown-it';

/** What stands in a page of Markdown: its headings, links and blocks of code. One reader for the tests of the pages and for the site. */

export interface Heading {
  readonly level: number;
  readonly text: string;
  /** As GitHub names it: what follows `#` in a link. */
  readonly anchor: string;
  readonly line: number;
}

export interface Link {
  readonly text: string;
  /** As it is written, decoded. */
  readonly target: string;
  readonly line: number;
}

/** Code within a text. */
export interface InlineCode {
  readonly text: string;
  /** Where its paragraph begins. */
  readonly line: number;
}

export interface CodeBlock {
  /** What stands behind the fence, such as `console`; empty when there is nothing, or the block is indented. */
  readonly language: string;
  readonly isFenced: boolean;
  readonly text: string;
  /** Of its first line in the page, counted from 1. */
  readonly line: number;
}

export interface Page {
  readonly headings: readonly Heading[];
  readonly links: readonly Link[];
  readonly codes: readonly InlineCode[];
  readonly blocks: readonly CodeBlock[];
}

/** HTML is taken over: pages have pictures and comments in it. */
export const markdown = MarkdownIt({ html: true });

type Token = ReturnType<typeof markdown.parse>[number];

export function readPage(text: string): Page {
  const tokens = markdown.parse(text, {});
  return {
    ...{ headings: readHeadings(tokens), links: readLinks(tokens) },
    ...{ codes: readCodes(tokens), blocks: readBlocks(tokens) },
  };
}

/** As GitHub does: small letters, no punctuation, a dash for each space, and a number where a name comes again. */
export function makeAnchors(): (heading: string) => string {
  const seen = new Map<string, number>();
  return (heading) => {
    const name = heading
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
      .replaceAll(' ', '-');
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    return times === 0 ? name : `${name}-${times}`;
  };
}

/** The text of what stands in one line, without its marks. */
export function plainText(inline: Token): string {
  return (inline.children ?? [])
    .filter(({ type }) => type === 'text' || type === 'code_inline')
    .map(({ content }) => content)
    .join('');
}

function readHeadings(tokens: readonly Token[]): Heading[] {
  const nameAnchor = makeAnchors();
  return tokens.flatMap((token, at) => {
    if (token.type !== 'heading_open') return [];
    const text = plainText(tokens[at + 1]!);
    return [{ level: Number(token.tag.slice(1)), text, anchor: nameAnchor(text), line: lineOf(token) }];
  });
}

function readLinks(tokens: readonly Token[]): Link[] {
  return tokens.flatMap((token) => {
    if (token.type === 'html_block') return readHtmlLinks(token.content, lineOf(token));
    if (token.type !== 'inline') return [];
    const children = token.children ?? [];
    const line = lineOf(token);
    return children.flatMap((child, at) => {
      if (child.type === 'html_inline') return readHtmlLinks(child.content, line);
      if (child.type === 'image') return [{ text: child.content, target: targetOf(child, 'src'), line }];
      if (child.type !== 'link_open') return [];
      return [{ text: textUntilClose(children, at), target: targetOf(child, 'href'), line }];
    });
  });
}

function textUntilClose(children: readonly Token[], from: number): string {
  const end = children.findIndex(({ type }, at) => at > from && type === 'link_close');
  return children
    .slice(from + 1, end)
    .map(({ content }) => content)
    .join('');
}

function targetOf(token: Token, name: string): string {
  return decodeURI(String(token.attrGet(name) ?? ''));
}

function readHtmlLinks(html: string, line: number): Link[] {
  return [...html.matchAll(/\b(?:href|src|srcset)="([^"]+)"/g)].map(([, target]) => ({
    ...{ text: '', target: target!, line },
  }));
}

function readCodes(tokens: readonly Token[]): InlineCode[] {
  return tokens.flatMap((token) =>
    (token.children ?? [])
      .filter(({ type }) => type === 'code_inline')
      .map(({ content }) => ({ text: content, line: lineOf(token) })),
  );
}

function readBlocks(tokens: readonly Token[]): CodeBlock[] {
  return tokens.flatMap((token) => {
    if (token.type !== 'fence' && token.type !== 'code_block') return [];
    const isFenced = token.type === 'fence';
    const line = lineOf(token) + (isFenced ? 1 : 0);
    return [{ language: token.info.trim(), isFenced, text: token.content, line }];
  });
}

function lineOf(token: Token): number {
  return (token.map?.[0] ?? 0) + 1;
}
