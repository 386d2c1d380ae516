import { makeAnchors, markdown, plainText } from './markdown.ts';

/** A part of a page as the search knows it. */
export interface Section {
  readonly url: string;
  /** Of the page. */
  readonly page: string;
  readonly title: string;
  readonly text: string;
}

/** The parts of a page, from heading to heading, with all their words. */
export function readSections(url: string, source: string): Section[] {
  const nameAnchor = makeAnchors();
  const sections: { url: string; page: string; title: string; text: string }[] = [];
  let page = '';
  markdown.parse(source, {}).forEach((token, at, tokens) => {
    if (token.type === 'heading_open') {
      const title = plainText(tokens[at + 1]!);
      if (page === '') page = title;
      const anchor = nameAnchor(title);
      sections.push({ url: sections.length === 0 ? url : `${url}#${anchor}`, page, title, text: '' });
      return;
    }
    const said = token.type === 'inline' ? plainText(token) : token.type === 'fence' ? token.content : '';
    const section = sections.at(-1);
    if (section !== undefined && said !== section.title) section.text += `${said.replaceAll(/\s+/g, ' ')} `;
  });
  return sections;
}
