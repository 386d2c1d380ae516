import { html } from 'hono/html';
import { plural } from '../../core/units.ts';
import type { Html } from '../route.ts';
import { marks, pc, width } from './timeline.ts';
import { layTimeline, type TimelineFacts } from './timeline-geometry.ts';

/** The last 30 days in one line: what comes back, and what does not. */
export function miniTimeline(facts: TimelineFacts): Html {
  const laid = layTimeline(facts, '30d');
  const words = `The last 30 days: ${plural(laid.spans.length, 'span')} of any instant, ${plural(laid.fulls.length, 'full backup')}, ${plural(laid.incrementals.length, 'incremental backup')}, ${plural(laid.gaps.length, 'gap')}.`;
  return html`<svg class="picture mini" width="100%" height="26" role="img" aria-label="${words}">
<rect class="bed" x="0" width="100%" y="8" height="10" rx="5" />
${laid.gaps.map((one) => html`<rect class="gap solid" x="${pc(one.start)}" width="${width(one)}" y="8" height="10" />`)}
${laid.spans.map((one) => html`<rect class="log" x="${pc(one.start)}" width="${width(one)}" y="8" height="10" rx="3" />`)}
${marks(laid.points, { y: 13, half: 5, className: 'point' })}
${laid.fulls.map(({ at }) => html`<rect class="full" x="${pc(at)}" y="4" width="4" height="18" rx="2" transform="translate(-2)" />`)}
<line class="now" x1="${pc(laid.now)}" x2="${pc(laid.now)}" y1="1" y2="25" />
</svg>`;
}
