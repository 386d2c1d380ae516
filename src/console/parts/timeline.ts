import { html } from 'hono/html';
import { formatInstant, plural } from '../../core/units.ts';
import { withQuery } from '../links.ts';
import type { Html } from '../route.ts';
import { table } from './table.ts';
import {
  gapsOf,
  layTimeline,
  type Timeline,
  type TimelineBackup,
  type TimelineFacts,
  type TimelineSpan,
  ZOOMS,
  type Zoom,
} from './timeline-geometry.ts';
import { instant, span } from './times.ts';

export interface TimelineOptions {
  readonly zoom: Zoom;
  /** The page that it stands on. */
  readonly link: string;
  /** An instant that somebody chose; left out or null: none. */
  readonly chosenMs?: number | null;
}

/** The recovery window as a picture, with links that zoom, a legend, and the same as a table. */
export function timeline(facts: TimelineFacts, { zoom, link, chosenMs = null }: TimelineOptions): Html {
  const laid = layTimeline(facts, zoom);
  const chosen = chosenMs === null ? null : (chosenMs - laid.fromMs) / (laid.toMs - laid.fromMs);
  const seen = chosen !== null && chosen >= 0 && chosen <= 1 ? chosen : null;
  return html`<figure class="timeline" data-from-ms="${Math.round(laid.fromMs)}" data-to-ms="${Math.round(laid.toMs)}">
<div class="timeline-top"><figcaption>${rangeText(facts, laid)}</figcaption>${zoomLinks(zoom, link)}</div>
<div class="lanes"><ul class="lane-names" aria-hidden="true"><li>Full</li><li>Incremental</li><li>Any instant</li></ul>${picture(facts, laid, seen)}</div>
${legend(facts, laid, seen !== null)}
<details id="timeline-table"><summary>The same as a table</summary>${timelineTable(facts)}</details>
</figure>`;
}

/** The room behind `now` is for the eye. */
function rangeText({ nowMs }: TimelineFacts, { fromMs }: Timeline): string {
  return `${formatInstant(new Date(fromMs).toISOString()).slice(0, 16)} to ${formatInstant(new Date(nowMs).toISOString()).slice(0, 16)} UTC`;
}

const ZOOM_WORDS: Readonly<Record<Zoom, string>> = { '24h': '24 h', '7d': '7 d', '30d': '30 d', all: 'All' };

function zoomLinks(current: Zoom, link: string): Html {
  return html`<nav class="zoom" aria-label="How far back the picture goes"><ul>${(
    Object.keys(ZOOMS) as Zoom[]
  ).map(
    (zoom) =>
      html`<li><a href="${withQuery(link, { range: zoom })}" aria-current="${zoom === current ? 'true' : 'false'}">${ZOOM_WORDS[zoom]}</a></li>`,
  )}</ul></nav>`;
}

const HEIGHT = 132;
/** Middles of the lanes. */
const [FULL_Y, INCREMENTAL_Y, LOG_Y, AXIS_Y] = [22, 52, 86, 112];

function picture(facts: TimelineFacts, laid: Timeline, chosen: number | null): Html {
  return html`<svg class="picture" width="100%" height="${HEIGHT}" role="img" aria-label="${pictureText(facts, laid)}">
${hatch('gap-lines')}
${laid.ticks.map(({ at }) => html`<line class="grid" x1="${pc(at)}" x2="${pc(at)}" y1="6" y2="${AXIS_Y - 8}" />`)}
${promise(laid)}
<line class="rail" x1="0" x2="100%" y1="${FULL_Y}" y2="${FULL_Y}" /><line class="rail" x1="0" x2="100%" y1="${INCREMENTAL_Y}" y2="${INCREMENTAL_Y}" />
<rect class="bed" x="0" width="100%" y="${LOG_Y - 9}" height="18" rx="9" />
${laid.gaps.map((gap) => gapMark(gap))}
${laid.spans.map((one) => html`<rect class="log" x="${pc(one.start)}" width="${width(one)}" y="${LOG_Y - 9}" height="18" rx="4" />`)}
${marks(laid.points, { y: LOG_Y, half: 9, className: 'point' })}
${[false, true].map((isUnsound) => marks(placesOf(laid.incrementals, isUnsound), { y: INCREMENTAL_Y, half: 7, className: isUnsound ? 'incremental bad' : 'incremental' }))}
${laid.fulls.map(fullMark)}
<line class="now" x1="${pc(laid.now)}" x2="${pc(laid.now)}" y1="4" y2="${AXIS_Y - 8}" />
${chosen === null ? '' : html`<line class="chosen" x1="${pc(chosen)}" x2="${pc(chosen)}" y1="4" y2="${AXIS_Y - 8}" />`}
${laid.ticks.map(({ at, label }, i) => html`<text class="tick${i % 2 === 1 ? ' odd' : ''}" x="${pc(at)}" y="${AXIS_Y + 8}" text-anchor="${anchor(at)}">${label}</text>`)}
</svg>`;
}

/** Ids are of a page: a picture that has gaps brings its hatching along, under a name that is not used twice. */
function hatch(id: string): Html {
  return html`<defs><pattern id="${id}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="gap-ground" width="6" height="6" /><rect class="gap-line" width="2" height="6" /></pattern></defs>`;
}

function promise({ promised }: Timeline): Html {
  return promised === null
    ? html``
    : html`<rect class="promise" x="${pc(promised.start)}" width="${width(promised)}" y="4" height="${AXIS_Y - 12}" />`;
}

function gapMark({ start, end, reason }: TimelineSpan & { reason: string }): Html {
  const shown = { start, end: Math.max(end, Math.min(1, start + 0.004)) };
  return html`<rect class="gap" fill="url(#gap-lines)" x="${pc(shown.start)}" width="${width(shown)}" y="${LOG_Y - 9}" height="18"><title>Gap: ${reason}. No recovery crosses it.</title></rect>`;
}

function placesOf(backups: readonly TimelineBackup[], isUnsound: boolean): number[] {
  return backups.filter(({ backup }) => (backup.isSound === false) === isUnsound).map(({ at }) => at);
}

/** Many strokes as one path, in a picture of its own that is drawn out to the width of the other. */
export function marks(
  places: readonly number[],
  { y, half, className }: { readonly y: number; readonly half: number; readonly className: string },
): Html {
  if (places.length === 0) return html``;
  const path = places.map((at) => `M${Math.round(at * 10_000) / 10}${' '}${y - half}v${2 * half}`).join('');
  return html`<svg x="0" y="0" width="100%" height="${y + half}" viewBox="0 0 1000 ${y + half}" preserveAspectRatio="none"><path class="${className}" d="${path}" /></svg>`;
}

function fullMark({ at, backup }: TimelineBackup): Html {
  return html`<rect class="full${backup.isSound === false ? ' bad' : ''}" x="${pc(at)}" y="${FULL_Y - 8}" width="8" height="16" rx="3" transform="translate(-4)"><title>Full backup ${backup.backupId.slice(0, 8)}, ${formatInstant(backup.stateAt)}</title></rect>`;
}

export function pc(share: number): string {
  return `${Math.round(share * 100_000) / 1000}%`;
}

/** What is too short to be seen is as wide as can be seen. */
export function width({ start, end }: TimelineSpan): string {
  return pc(Math.max(end - start, 0.0015));
}

function anchor(at: number): 'start' | 'middle' | 'end' {
  return at < 0.04 ? 'start' : at > 0.95 ? 'end' : 'middle';
}

function pictureText(facts: TimelineFacts, laid: Timeline): string {
  const newest = facts.windows.reduce((to, window) => Math.max(to, Date.parse(window.to)), 0);
  const words = [
    plural(laid.fulls.length, 'full backup'),
    plural(laid.incrementals.length, 'incremental backup'),
    laid.spans.length === 0 ? 'no change log' : plural(laid.spans.length, 'unbroken span', 'unbroken spans'),
    plural(laid.gaps.length, 'gap'),
    ...(newest === 0 ? [] : [`newest point ${span(facts.nowMs - newest)} before now`]),
  ];
  return `Recovery window from ${rangeText(facts, laid)}: ${words.join(', ')}. The table beneath says the same.`;
}

function legend({ rpoMs }: TimelineFacts, laid: Timeline, isChosen: boolean): Html {
  const unsound = [...laid.fulls, ...laid.incrementals].some(({ backup }) => backup.isSound === false);
  const keys: readonly (readonly [string, string, boolean])[] = [
    ['full', 'full backup', laid.fulls.length > 0],
    ['incremental', 'incremental backup', laid.incrementals.length > 0],
    ['log', 'any instant comes back', laid.spans.length > 0],
    ['point', 'one instant comes back', laid.points.length > 0],
    ['gap', 'gap: nothing crosses it', laid.gaps.length > 0],
    ['unsound', 'found unsound', unsound],
    ['promise', `promised: no older than ${span(rpoMs ?? 0)}`, rpoMs !== null],
    ['chosen', 'chosen below', isChosen],
    ['now', 'now', true],
  ];
  return html`<ul class="legend">${keys.filter(([, , isShown]) => isShown).map(([key, text]) => html`<li><span class="key ${key}"></span>${text}</li>`)}</ul>`;
}

function timelineTable(facts: TimelineFacts): Html {
  const { windows, backups } = facts;
  const logs = windows.filter(({ source }) => source === 'log');
  const points = windows.filter(({ source }) => source === 'backup');
  const fulls = backups.filter(({ kind }) => kind === 'full');
  const rows: (readonly [number, readonly (Html | string)[]])[] = [
    ...logs.map(
      ({ from, to }) => [Date.parse(from), ['Any instant comes back', instant(from), instant(to)]] as const,
    ),
    ...(points.length === 0
      ? []
      : [
          [
            Date.parse(points[0]!.from),
            [
              `${plural(points.length, 'single instant')} of backups`,
              instant(points[0]!.from),
              instant(points.at(-1)!.to),
            ],
          ] as const,
        ]),
    ...gapsOf(facts).map(
      ({ startMs, endMs, reason }) =>
        [
          startMs,
          [
            `Gap (${reason})`,
            startMs === 0 ? 'the beginning' : instant(new Date(startMs).toISOString()),
            instant(new Date(endMs).toISOString()),
          ],
        ] as const,
    ),
    ...fulls.map(
      ({ backupId, stateAt }) =>
        [
          Date.parse(stateAt),
          [`Full backup ${backupId.slice(0, 8)}`, instant(stateAt), instant(stateAt)],
        ] as const,
    ),
  ];
  return table({
    caption: 'What the picture shows, the newest first; incremental backups are listed under Backups',
    columns: [{ title: 'What' }, { title: 'From' }, { title: 'To' }],
    rows: rows.toSorted(([a], [b]) => b - a).map(([, cells]) => cells),
    empty: 'Nothing is there yet.',
  });
}
