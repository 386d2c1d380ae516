import { html } from 'hono/html';
import type { Html } from '../route.ts';

export interface SectionOptions {
  readonly id?: string;
  /** It is brought up to date while one looks at it; needs an id. */
  readonly live?: boolean;
}

/** A part of a page with a heading of the second level; what is in it begins at the third. */
export function section(title: string, body: Html, { id, live = false }: SectionOptions = {}): Html {
  const heading = id === undefined ? html`<h2>${title}</h2>` : html`<h2 id="${id}-title">${title}</h2>`;
  if (id === undefined) return html`<section class="section">${heading}${body}</section>`;
  if (!live)
    return html`<section class="section" id="${id}" aria-labelledby="${id}-title">${heading}${body}</section>`;
  return html`<section class="section" id="${id}" aria-labelledby="${id}-title" data-live>${heading}${body}</section>`;
}
