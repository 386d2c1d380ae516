import { html } from 'hono/html';
import type { JobProgress } from '../../core/job.ts';
import { formatBytes, formatCount, plural } from '../../core/units.ts';
import type { Html } from '../route.ts';
import { span } from './times.ts';

/** How far something is: a bar, and in words how quick it is and how long it takes yet. `label` says what it is that runs. */
export function progressBar(label: string, progress: JobProgress): Html {
  const share = doneShare(progress);
  const bar =
    share === null
      ? html`<progress aria-label="${label}"></progress>`
      : html`<progress aria-label="${label}" value="${Math.round(share * 1000)}" max="1000"></progress>`;
  return html`<div class="progress">${bar}<p>${progressWords(progress)}</p></div>`;
}

/** From 0 to 1; null where nobody knows how much there is. */
export function doneShare({ events, bytes, totalEvents, totalBytes }: JobProgress): number | null {
  const [done, total] = totalEvents !== null ? [events, totalEvents] : [bytes, totalBytes];
  return total === null || total <= 0 ? null : Math.min(1, done / total);
}

/** `reading events: 8,210 of 14,900, 1,415/s, 611.0 kB, about 5 s left` */
export function progressWords(progress: JobProgress): string {
  const { step, events, bytes, totalEvents, sinceMs, atMs } = progress;
  const tookMs = atMs - sinceMs;
  const counted =
    totalEvents === null
      ? plural(events, 'event')
      : `${formatCount(events)} of ${plural(totalEvents, 'event')}`;
  const rate = tookMs < 500 || events === 0 ? [] : [`${formatCount((events * 1000) / tookMs)}/s`];
  const share = doneShare(progress);
  const left =
    share === null || share < 0.01 || tookMs < 1000
      ? []
      : [`about ${span((tookMs * (1 - share)) / share)} left`];
  const size = bytes === 0 ? [] : [formatBytes(bytes)];
  return `${step}: ${[counted, ...size, ...rate, ...left].join(', ')}`;
}
