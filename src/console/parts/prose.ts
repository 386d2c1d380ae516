import { html } from 'hono/html';
import type { Html } from '../route.ts';
import { sign, type Tone } from './badge.ts';
import { type SectionOptions, section } from './section.ts';

/** What stands in backquotes is a command, or a name. */
export function inCode(text: string): Html {
  return html`${text.split('`').map((part, i) => (i % 2 === 0 ? part : html`<code>${part}</code>`))}`;
}

/** What is not cut into lines, such as the name of a region. */
export function word(text: Html | string): Html {
  return html`<span class="word">${text}</span>`;
}

/** A sentence with the sign of its tone: a badge for what is too long for one. */
export function remark(tone: Tone, text: Html | string): Html {
  return html`<span class="remark ${tone}">${sign(tone)} ${text}</span>`;
}

/** A section of several things, one below the other. */
export function stacked(title: string, body: Html, options: SectionOptions = {}): Html {
  return section(title, html`<div class="stack">${body}</div>`, options);
}

/** What commands say begins small and has no end: here it stands by itself. */
export function sentence(text: string): Html {
  const begun = text.replace(/^\p{Ll}/u, (letter) => letter.toUpperCase());
  return inCode(/[.!?]$/.test(begun) ? begun : `${begun}.`);
}
