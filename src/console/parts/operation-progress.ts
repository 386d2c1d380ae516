import { html } from 'hono/html';
import type { Operation } from '../ports.ts';
import type { Html } from '../route.ts';
import { progressBar } from './progress.ts';

/** How far an operation is; before it has said so, that it runs. */
export function operationProgress({ title, progress }: Operation): Html {
  if (progress !== null) return progressBar(title, progress);
  return html`<div class="progress"><progress aria-label="${title}"></progress><p>it has not said how far it is yet</p></div>`;
}
