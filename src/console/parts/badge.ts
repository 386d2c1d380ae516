import { html } from 'hono/html';
import type { Html } from '../route.ts';

export type Tone = 'good' | 'bad' | 'warning' | 'faint';

/** A word in the colour and with the sign of its tone: the sign tells it where colours do not. */
export function badge(tone: Tone, text: string): Html {
  return html`<span class="badge ${tone}">${sign(tone)}${text}</span>`;
}

/** Only the sign; what it means must stand beside it. */
export function sign(tone: Tone): Html {
  return html`<svg class="sign ${tone}" viewBox="0 0 16 16" width="12" height="12" aria-hidden="true" focusable="false">${SIGNS[tone]}</svg>`;
}

const SIGNS: Readonly<Record<Tone, Html>> = {
  good: html`<circle cx="8" cy="8" r="7" /><path class="mark" d="M4.6 8.2 7 10.6 11.4 5.8" />`,
  warning: html`<path d="M8 1.2 15.4 14.6H.6Z" /><path class="mark" d="M8 6v4M8 12.2v.2" />`,
  bad: html`<path d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1Z" /><path class="mark" d="M8 4.4v4.4M8 11.2v.2" />`,
  faint: html`<circle class="ring" cx="8" cy="8" r="6" />`,
};
