import { html } from 'hono/html';
import type { Html } from '../route.ts';

/** A command as one would type it; with a script it can be copied by a button. */
export function commandBox(command: string): Html {
  return html`<div class="command"><pre tabindex="0" role="group" aria-label="Command"><code>${command}</code></pre><button type="button" class="copy" data-copy>Copy</button></div>`;
}
