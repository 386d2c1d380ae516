import { html } from 'hono/html';
import type { Html } from '../route.ts';

export interface TableParts {
  /** Says what it lists; seen where nothing above it says so. */
  readonly caption: string;
  readonly isCaptionShown?: boolean;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly (Html | string)[])[];
  /** In place of a table without rows. */
  readonly empty: string;
}

export interface Column {
  readonly title: string;
  readonly numeric?: boolean;
  /** What it says is plain to whoever sees it. */
  readonly isTitleUnseen?: boolean;
}

/** The first cell of a row is its heading. A table that is wider than the page scrolls by itself, also by keyboard. */
export function table({ caption, isCaptionShown = false, columns, rows, empty }: TableParts): Html {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
  return html`<div class="table-wrap" role="group" aria-label="${caption}" tabindex="0"><table>
<caption class="${isCaptionShown ? '' : 'unseen'}">${caption}</caption>
<thead><tr>${columns.map(
    ({ title, numeric, isTitleUnseen }) =>
      html`<th scope="col" class="${classOf(numeric)}">${isTitleUnseen === true ? html`<span class="unseen">${title}</span>` : title}</th>`,
  )}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((cell, i) => cellOf(cell, i, columns[i]?.numeric))}</tr>`)}</tbody>
</table></div>`;
}

function cellOf(cell: Html | string, at: number, numeric: boolean | undefined): Html {
  if (at === 0) return html`<th scope="row" class="${classOf(numeric)}">${cell}</th>`;
  return html`<td class="${classOf(numeric)}">${cell}</td>`;
}

function classOf(numeric: boolean | undefined): string {
  return numeric === true ? 'numeric' : '';
}
