import { makeAnchors, markdown, plainText } from './markdown.ts';

export interface RenderedPage {
  readonly title: string;
  readonly html: string;
  /** Below the title: what the page is made of. */
  readonly headings: readonly { readonly level: number; readonly text: string; readonly anchor: string }[];
}

type Token = ReturnType<typeof markdown.parse>[number];
/** Null: it leads nowhere in the site, and only its text stays. */
type Rewrite = (target: string) => string | null;

export function renderMarkdown(text: string, rewrite: Rewrite): RenderedPage {
  const tokens = markdown.parse(text, {});
  const headings = nameHeadings(tokens);
  for (const token of tokens) {
    if (token.children !== null) rewriteLinks(token.children, rewrite);
    if (token.type === 'html_block') token.content = rewriteHtml(token.content, rewrite);
  }
  const [first, ...below] = headings;
  return {
    title: first?.text ?? '',
    html: markdown.renderer.render(tokens, markdown.options, {}),
    headings: below,
  };
}

function nameHeadings(tokens: readonly Token[]): RenderedPage['headings'] {
  const nameAnchor = makeAnchors();
  return tokens.flatMap((token, at) => {
    if (token.type !== 'heading_open') return [];
    const text = plainText(tokens[at + 1]!);
    const anchor = nameAnchor(text);
    token.attrSet('id', anchor);
    return [{ level: Number(token.tag.slice(1)), text, anchor }];
  });
}

function rewriteLinks(children: readonly Token[], rewrite: Rewrite): void {
  for (const [at, child] of children.entries()) {
    if (child.type === 'html_inline') child.content = rewriteHtml(child.content, rewrite);
    if (child.type === 'image') child.attrSet('src', rewrite(String(child.attrGet('src'))) ?? '');
    if (child.type !== 'link_open') continue;
    const target = rewrite(decodeURI(String(child.attrGet('href'))));
    if (target !== null) child.attrSet('href', target);
    else unlink(children, at);
  }
}

function unlink(children: readonly Token[], at: number): void {
  const close = children.find(({ type }, index) => index > at && type === 'link_close')!;
  for (const token of [children[at]!, close]) {
    token.tag = 'span';
    token.attrs = null;
  }
}

function rewriteHtml(html: string, rewrite: Rewrite): string {
  return html.replaceAll(
    /\b(href|src|srcset)="([^"]+)"/g,
    (_, name, target) => `${name}="${rewrite(target) ?? '#'}"`,
  );
}

const { escapeHtml } = markdown.utils;

/** Commands stand out from what they print; wide blocks can be reached by keys, to scroll them. */
function renderCode(content: string, language: string): string {
  const lines = content.trimEnd().split('\n');
  const isTerminal = lines.some((line) => line.startsWith('$ '));
  const html = lines.map((line) => {
    if (!isTerminal) return escapeHtml(line);
    return line.startsWith('$ ')
      ? `<span class="prompt">$ </span><b>${escapeHtml(line.slice(2))}</b>`
      : `<span class="printed">${escapeHtml(line)}</span>`;
  });
  const label = isTerminal ? 'terminal' : language || 'code';
  return `<pre tabindex="0" role="region" aria-label="${escapeHtml(label)}"><code>${html.join('\n')}</code></pre>\n`;
}

const { rules } = markdown.renderer;
rules.fence = (tokens, at) => renderCode(tokens[at]!.content, tokens[at]!.info.trim());
rules.code_block = (tokens, at) => renderCode(tokens[at]!.content, '');
rules.table_open = () => '<div class="table" tabindex="0" role="region" aria-label="table"><table>\n';
rules.table_close = () => '</table></div>\n';
