import { html } from 'hono/html';
import type { Objective } from '../../core/status.ts';
import { formatSpan } from '../../policy/duration.ts';
import type { Html } from '../route.ts';
import { badge, type Tone } from './badge.ts';
import { sentence } from './prose.ts';

export const PROMISE_STATES: Readonly<Record<Objective['state'], readonly [Tone, string]>> = {
  kept: ['good', 'kept'],
  breached: ['bad', 'breached'],
  unknown: ['warning', 'not known'],
};

/** Whether one promise of the policy is kept, with the reason and what to do; says so where nothing is promised. */
export function promiseOf(
  objectives: readonly Objective[],
  name: Objective['name'],
  region: string | null = null,
): Html {
  const found = objectives.find((one) => one.name === name && one.region === region);
  if (found === undefined) return html`<span class="muted">nothing is promised</span>`;
  const [tone, word] = PROMISE_STATES[found.state];
  return html`${badge(tone, word)} within ${formatSpan(found.promisedMs)}<p class="muted">${sentence(found.reason)}</p>${found.next === null ? '' : html`<p>${sentence(found.next)}</p>`}`;
}
