import { ADAPTER } from '../../test/architecture/walls.ts';
import { type Layout, layOut, type Place } from './layout.ts';
import { captionOf, type RoomGraph, reduce } from './rooms.ts';

const ROOM = { width: 146, height: 52 };
const PASSAGE = 14;
const GAP = { x: 16, y: 68 };
const MARGIN = 28;
const BAR = 62;
/** Between arrows that begin or end at one room. */
const BESIDE = 16;
const ROOMS_IN_A_ROW = 8;

/** Rooms that would have an arrow to or from every other: bars above and below. */
const TOP = ['cli', 'index.ts'];
const BOTTOM = 'core';

const STYLE = `
  svg { font-family: ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
  .paper { fill: #ffffff; }
  .room rect { fill: #f6f8fa; stroke: #c9d1d9; stroke-width: 1.2; }
  .adapter rect { fill: #eef6ff; stroke: #8fbfef; }
  .bar rect { fill: #24292f; stroke: none; }
  .name { font-size: 15px; font-weight: 640; fill: #1f2328; }
  .caption { font-size: 11.5px; fill: #57606a; }
  .bar .name { fill: #ffffff; }
  .bar .caption { fill: #c9d1d9; }
  .arrow { fill: none; stroke: #8c959f; stroke-width: 1.4; }
  .head { fill: #8c959f; }
  .legend { font-size: 12px; fill: #57606a; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; }
    .room rect { fill: #161b22; stroke: #3d444d; }
    .adapter rect { fill: #0f2034; stroke: #2f5f94; }
    .bar rect { fill: #e6edf3; }
    .name { fill: #e6edf3; }
    .caption, .legend { fill: #9198a1; }
    .bar .name { fill: #0d1117; }
    .bar .caption { fill: #454c54; }
    .arrow { stroke: #6e7681; }
    .head { fill: #6e7681; }
  }`;

/** docs/pictures/architecture.svg: rooms, each above all that it imports. */
export function drawArchitecture(graph: RoomGraph): string {
  const middle = new Map(
    [...graph]
      .filter(([room]) => !TOP.includes(room) && room !== BOTTOM)
      .map(([room, targets]) => [room, new Set([...targets].filter((target) => target !== BOTTOM))]),
  );
  const layout = layOut(reduce(middle), ROOMS_IN_A_ROW);
  const centres = placeAcross(layout);
  const width = Math.max(...[...centres].map(([place, x]) => x + widthOf(place) / 2)) + MARGIN;
  const top = MARGIN + BAR + GAP.y * 0.5;
  const yOf = ({ row }: Place): number => top + (layout.rows.length - 1 - row) * (ROOM.height + GAP.y);
  const bottom = top + layout.rows.length * (ROOM.height + GAP.y) - GAP.y * 0.5;
  const height = bottom + BAR + 44;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(width)} ${round(height)}" role="img" aria-labelledby="title">
<title id="title">The rooms of EventCore Backup, each above all that it imports</title>
<style>${STYLE}
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="head" d="M0 0.6 L8 4 L0 7.4 Z"/></marker></defs>
<rect class="paper" width="100%" height="100%"/>
${layout.arrows.map((arrow) => drawArrow(arrow, pointsOf(arrow, layout, centres), yOf)).join('\n')}
${layout.rows
  .flat()
  .flatMap((place) => (place.isRoom ? [drawRoom(place.name, centres.get(place)!, yOf(place))] : []))
  .join('\n')}
${drawBar('cli', 'commands, and the wiring: it imports every room. index.ts, the library, stands beside it', MARGIN, width)}
${drawBar(BOTTOM, 'words, ports and errors: it imports nothing, and every room imports it', bottom, width)}
${drawLegend(bottom + BAR + 24)}
</svg>
`;
}

/** Places stand where what they are tied to draws them, no nearer to each other than there is room for. */
function placeAcross({ rows, arrows }: Layout): Map<Place, number> {
  const ties = new Map<Place, Place[]>();
  for (const arrow of arrows) {
    for (let i = 1; i < arrow.length; i++) {
      ties.set(arrow[i - 1]!, [...(ties.get(arrow[i - 1]!) ?? []), arrow[i]!]);
      ties.set(arrow[i]!, [...(ties.get(arrow[i]!) ?? []), arrow[i - 1]!]);
    }
  }
  const widest = Math.max(...rows.map((row) => spanOf(row)));
  const centres = new Map<Place, number>();
  for (const row of rows) spread(row, (_, i) => ((i + 0.5) / row.length) * widest, widest, centres);
  for (let round = 0; round < 40; round++) {
    const order = round % 2 === 0 ? rows : rows.toReversed();
    for (const row of order) {
      const wanted = row.map((place) => {
        const others = ties.get(place) ?? [];
        const own = centres.get(place)!;
        return others.length === 0
          ? own
          : others.reduce((sum, other) => sum + centres.get(other)!, 0) / others.length;
      });
      spread(row, (_, i) => wanted[i]!, widest, centres);
    }
  }
  return new Map([...centres].map(([place, x]) => [place, x + MARGIN]));
}

function spanOf(row: readonly Place[]): number {
  return row.reduce((sum, place) => sum + widthOf(place) + GAP.x, -GAP.x);
}

/** As near to where each wants to be as the order and the widths allow: pushed right, then back from the right edge. */
function spread(
  row: readonly Place[],
  wanted: (place: Place, i: number) => number,
  widest: number,
  centres: Map<Place, number>,
): void {
  const left = pushed(row, wanted, widest);
  const mirrored = row.toReversed();
  const right = pushed(mirrored, (place, i) => widest - wanted(place, row.length - 1 - i), widest).map(
    (x) => widest - x,
  );
  for (const [i, place] of row.entries()) centres.set(place, (left[i]! + right[row.length - 1 - i]!) / 2);
}

/** From left to right; what would not fit any more behind it holds a place back. */
function pushed(
  row: readonly Place[],
  wanted: (place: Place, i: number) => number,
  widest: number,
): number[] {
  const centres: number[] = [];
  let edge = 0;
  row.forEach((place, i) => {
    const half = widthOf(place) / 2;
    const most = widest - spanOf(row.slice(i)) + half;
    const at = Math.min(Math.max(wanted(place, i), edge + half), most);
    centres.push(at);
    edge = at + half + GAP.x;
  });
  return centres;
}

function widthOf({ isRoom }: Place): number {
  return isRoom ? ROOM.width : PASSAGE;
}

/** Where an arrow is in each row: arrows of one room begin and end beside each other, in the order of where they come from and go to. */
function pointsOf(
  arrow: readonly Place[],
  { arrows }: Layout,
  centres: ReadonlyMap<Place, number>,
): readonly number[] {
  const x = (place: Place | undefined): number => centres.get(place!)!;
  const beside = (
    others: readonly (readonly Place[])[],
    next: (other: readonly Place[]) => Place | undefined,
  ) => {
    const sorted = others.toSorted((a, b) => x(next(a)) - x(next(b)));
    return (
      (sorted.indexOf(arrow) - (sorted.length - 1) / 2) * Math.min(BESIDE, (ROOM.width - 40) / sorted.length)
    );
  };
  const [first, last] = [arrow[0], arrow.at(-1)];
  const leaving = arrows.filter((other) => other[0] === first);
  const arriving = arrows.filter((other) => other.at(-1) === last);
  const points = arrow.map(x);
  points[0]! += beside(leaving, (other) => other[1]);
  points[points.length - 1]! += beside(arriving, (other) => other.at(-2));
  return points;
}

function drawArrow(
  arrow: readonly Place[],
  points: readonly number[],
  yOf: (place: Place) => number,
): string {
  let [x, y] = [points[0]!, yOf(arrow[0]!) + ROOM.height];
  let path = `M${round(x)} ${round(y)}`;
  for (const [i, place] of arrow.entries()) {
    if (i === 0) continue;
    const [nextX, nextY] = [points[i]!, yOf(place) - (place.isRoom ? 1 : 0)];
    const bend = (nextY - y) * 0.6;
    path += ` C${round(x)} ${round(y + bend)} ${round(nextX)} ${round(nextY - bend)} ${round(nextX)} ${round(nextY)}`;
    [x, y] = [nextX, nextY];
    if (!place.isRoom) {
      y += ROOM.height;
      path += ` V${round(y)}`;
    }
  }
  return `<path class="arrow" marker-end="url(#head)" d="${path}"/>`;
}

function drawRoom(name: string, x: number, y: number): string {
  const kind = ADAPTER.test(`${name}/`) ? 'room adapter' : 'room';
  return [
    `<g class="${kind}"><rect x="${round(x - ROOM.width / 2)}" y="${round(y)}" width="${ROOM.width}" height="${ROOM.height}" rx="8"/>`,
    `<text class="name" text-anchor="middle" x="${round(x)}" y="${round(y + 22)}">${name}</text>`,
    `<text class="caption" text-anchor="middle" x="${round(x)}" y="${round(y + 39)}">${captionOf(name)}</text></g>`,
  ].join('');
}

function drawBar(name: string, caption: string, y: number, width: number): string {
  const middle = round(width / 2);
  return [
    `<g class="bar"><rect x="${MARGIN}" y="${round(y)}" width="${round(width - 2 * MARGIN)}" height="${BAR}" rx="10"/>`,
    `<text class="name" text-anchor="middle" x="${middle}" y="${round(y + 27)}">${name}</text>`,
    `<text class="caption" text-anchor="middle" x="${middle}" y="${round(y + 46)}">${caption}</text></g>`,
  ].join('');
}

function drawLegend(y: number): string {
  return [
    `<g class="room adapter"><rect x="${MARGIN}" y="${round(y - 11)}" width="18" height="13" rx="3"/></g>`,
    `<text class="legend" x="${MARGIN + 26}" y="${round(y)}">adapters: others meet them through ports in core. An arrow leads to what a room imports; those that other arrows lead around to are left out.</text>`,
  ].join('');
}

function round(number: number): string {
  return String(Math.round(number * 10) / 10);
}
