import { html } from 'hono/html';
import { formatInstant } from '../../core/units.ts';
import type { Html } from '../route.ts';

/** `2026-11-23 04:05:06 UTC`; with a script, hovering tells the time of whoever reads. */
export function instant(time: string): Html {
  return html`<time datetime="${time}">${formatInstant(time)}</time>`;
}

/** `12 s ago`; of what is ahead by a clock that is not ours, `just now`. */
export function ago(ageMs: number): string {
  return ageMs < 1000 ? 'just now' : `${span(ageMs)} ago`;
}

/** `12 s`, `3 min`, `2 h 7 min`, `26 h`, `3 d 4 h`, `41 d`: as exact as one reads it at a glance. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return two(hours, 'h', minutes % 60, 'min');
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** The smaller unit stands only where it says something: beside less than ten of the greater one. */
function two(great: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 || great >= 10 ? `${great} ${unit}` : `${great} ${unit} ${small} ${smallUnit}`;
}

/** An instant and how long ago that was. */
export function instantAgo(time: string, nowMs: number): Html {
  return html`${instant(time)} <span class="muted ago">(${ago(nowMs - Date.parse(time))})</span>`;
}
