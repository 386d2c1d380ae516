import { html } from 'hono/html';
import type { Html } from '../route.ts';
import { table } from './table.ts';
import { instant } from './times.ts';

export interface TrendParts {
  readonly title: string;
  /** Oldest first. */
  readonly points: readonly TrendPoint[];
  /** How a value is said. */
  readonly format: (value: number) => string;
  /** Drawn as a line that values should stay under; null: nothing is promised. */
  readonly promised: number | null;
}

export interface TrendPoint {
  /** RFC 3339. */
  readonly at: string;
  readonly value: number;
  readonly isBad?: boolean;
}

const WIDTH = 600;
const HEIGHT = 140;
const EDGE = 8;

/** Values over time, from 0 on; beneath, the same as a table. */
export function trend({ title, points, format, promised }: TrendParts): Html {
  if (points.length === 0) return html`<p class="empty">${title}: nothing is measured yet.</p>`;
  const most = Math.max(...points.map(({ value }) => value), promised ?? 0, 1e-9);
  const [x, y] = [
    xOf(points),
    (value: number): number => round(HEIGHT - EDGE - (value / most) * (HEIGHT - 2 * EDGE)),
  ];
  const path = points.map((point, i) => `${i === 0 ? 'M' : 'L'}${x(point)} ${y(point.value)}`).join('');
  return html`<figure class="trend"><figcaption>${title}: ${format(points.at(-1)!.value)}${promised === null ? '' : html` <span class="muted">(promised: ${format(promised)})</span>`}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}, from ${points[0]!.at} to ${points.at(-1)!.at}; the newest is ${format(points.at(-1)!.value)}">
<path class="base" d="M0 ${HEIGHT - EDGE}H${WIDTH}" />${promised === null ? '' : html`<path class="promised" d="M0 ${y(promised)}H${WIDTH}" />`}
<path class="line" d="${path}" />${points.map((point) => html`<circle class="${point.isBad === true ? 'bad' : ''}" cx="${x(point)}" cy="${y(point.value)}" r="3.5"><title>${point.at}: ${format(point.value)}</title></circle>`)}
</svg>
<details><summary>As a table</summary>${table({
    caption: title,
    columns: [{ title: 'When' }, { title, numeric: true }],
    rows: points.toReversed().map(({ at, value }) => [instant(at), format(value)]),
    empty: '',
  })}</details></figure>`;
}

function xOf(points: readonly TrendPoint[]): (point: TrendPoint) => number {
  const [from, to] = [Date.parse(points[0]!.at), Date.parse(points.at(-1)!.at)];
  return ({ at }) =>
    round(to <= from ? WIDTH / 2 : EDGE + ((Date.parse(at) - from) / (to - from)) * (WIDTH - 2 * EDGE));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
