import { html, raw } from 'hono/html';
import type { Answer } from '../ports.ts';
import type { Html } from '../route.ts';
import { sign } from './badge.ts';

/** What stands where an answer would, when there is none. */
export function unanswered(answer: Exclude<Answer, { state: 'answered' }>): Html {
  if (answer.state === 'asking') return asking();
  if (answer.state === 'busy')
    return notice(
      'warning',
      'Too many questions wait for the vault just now. Load this page again in a moment.',
    );
  const { message, hint, code } = answer;
  return html`<div class="notice bad">${sign('bad')}<div><p>It could not be read: ${message}${code === null ? '' : html` <code>${code}</code>`}</p>${hint === null ? '' : html`<p class="muted">${hint}</p>`}</div></div>`;
}

/** A page with this in it comes again as soon as it may. */
function asking(): Html {
  return html`<div class="notice faint" ${raw(SOON)}>${sign('faint')}<p>The vault is being asked. This page comes again by itself; without a script, load it again.</p></div>`;
}

/** What a page says where it waits for something. */
export const SOON = 'data-soon';

/** One sentence, set apart. */
export function notice(tone: 'good' | 'bad' | 'warning' | 'faint', text: Html | string): Html {
  return html`<div class="notice ${tone}">${sign(tone)}<p>${text}</p></div>`;
}
