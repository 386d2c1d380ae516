import { markdown } from './markdown.ts';

/** What stands around each page. */
export interface Frame {
  readonly title: string;
  readonly html: string;
  readonly headings: readonly { readonly level: number; readonly text: string; readonly anchor: string }[];
  readonly groups: readonly {
    readonly name: string;
    readonly level: number;
    readonly links: readonly {
      readonly text: string;
      readonly url: string;
      readonly isBelow: boolean;
      readonly isHere: boolean;
    }[];
  }[];
  /** From this page to a path of the site. */
  readonly to: (path: string) => string;
}

const NAME = 'EventCore Backup';
const text = markdown.utils.escapeHtml;

export function frame({ title, html, headings, groups, to }: Frame): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title === NAME ? title : `${title} · ${NAME}`)}</title>
<link rel="icon" href="${to('icon.svg')}">
<link rel="stylesheet" href="${to('site.css')}">
<script defer src="${to('site.js')}" data-root="${to('.') || '.'}"></script>
</head>
<body>
<a class="skip" href="#content">To the content</a>
<header>
<a class="name" href="${to('index.html')}">${NAME}</a>
<form role="search" hidden>
<input type="search" id="search" placeholder="Search  /" aria-label="Search the pages" autocomplete="off" role="combobox" aria-expanded="false" aria-controls="found">
<ul id="found" role="listbox" aria-label="Found" hidden></ul>
</form>
</header>
<div class="columns">
<details class="menu" open><summary>All pages</summary>
<nav aria-label="Pages">
${groups.map(renderGroup).join('\n')}
</nav>
</details>
<main id="content">
${html}</main>
${renderContents(headings)}
</div>
</body>
</html>
`;
}

function renderGroup({ name, level, links }: Frame['groups'][number]): string {
  const items = links.map(({ text: said, url, isBelow, isHere }) => {
    const here = isHere ? ' aria-current="page"' : '';
    return `<li${isBelow ? ' class="below"' : ''}><a href="${url}"${here}>${text(said)}</a></li>`;
  });
  return `<p class="group level-${level}">${text(name)}</p>\n<ul>${items.join('')}</ul>`;
}

function renderContents(headings: Frame['headings']): string {
  const shown = headings.filter(({ level }) => level <= 3);
  if (shown.length < 2) return '';
  const items = shown.map(
    ({ level, text: said, anchor }) =>
      `<li class="level-${level}"><a href="#${anchor}">${text(said)}</a></li>`,
  );
  return `<aside aria-label="On this page"><p>On this page</p><ul>${items.join('')}</ul></aside>`;
}
