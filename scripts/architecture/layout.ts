import type { RoomGraph } from './rooms.ts';

/** Where rooms stand in the picture: each above all that it imports, and as few arrows across each other as can be found soon. */

/** A room, or a place where an arrow passes through a row. */
export interface Place {
  readonly name: string;
  readonly isRoom: boolean;
  /** 0 is the lowest row. */
  readonly row: number;
}

export interface Layout {
  /** From the lowest row up, each from left to right. */
  readonly rows: readonly (readonly Place[])[];
  /** Each arrow as the places that it goes through, from above. */
  readonly arrows: readonly (readonly Place[])[];
}

const SWEEPS = 40;

/** `width`: rooms in one row. The same graph gives the same picture. */
export function layOut(graph: RoomGraph, width: number): Layout {
  const rowOf = assignRows(graph, width);
  const height = Math.max(...rowOf.values()) + 1;
  const rows: Place[][] = Array.from({ length: height }, () => []);
  const rooms = new Map<string, Place>();
  for (const [name, row] of rowOf) {
    const place = { name, isRoom: true, row };
    rooms.set(name, place);
    rows[row]!.push(place);
  }
  const arrows = [...graph].flatMap(([from, targets]) =>
    [...targets].sort().map((to) => passThrough(rooms.get(from)!, rooms.get(to)!, rows)),
  );
  return { rows: untangle(rows, arrows), arrows };
}

/** As low as what it imports and the width of rows allow; those on which the longest ways end come first. */
function assignRows(graph: RoomGraph, width: number): Map<string, number> {
  const importers = new Map([...graph.keys()].map((name) => [name, [] as string[]]));
  for (const [from, targets] of graph) for (const to of targets) importers.get(to)?.push(from);
  const weight = (name: string): number =>
    Math.max(0, ...importers.get(name)!.map((from) => weight(from) + 1));
  const isTied = (name: string): boolean => graph.get(name)!.size + importers.get(name)!.length > 0;
  const waiting = [...graph.keys()].sort(
    (a, b) => weight(b) - weight(a) || Number(isTied(b)) - Number(isTied(a)) || (a < b ? -1 : 1),
  );
  const rowOf = new Map<string, number>();
  while (waiting.length > 0) {
    const next = waiting.findIndex((name) => [...graph.get(name)!].every((to) => rowOf.has(to)));
    const [name] = waiting.splice(next, 1);
    let row = Math.max(0, ...[...graph.get(name!)!].map((to) => rowOf.get(to)! + 1));
    while ([...rowOf.values()].filter((taken) => taken === row).length >= width) row++;
    rowOf.set(name!, row);
  }
  return rowOf;
}

function passThrough(from: Place, to: Place, rows: Place[][]): Place[] {
  const between: Place[] = [];
  for (let row = from.row - 1; row > to.row; row--) {
    const place = { name: `${from.name} ${to.name}`, isRoom: false, row };
    rows[row]!.push(place);
    between.push(place);
  }
  return [from, ...between, to];
}

/** Each row is put in the order of what its places are tied to, up and down again and again; the best order that was seen counts. */
function untangle(rows: readonly Place[][], arrows: readonly (readonly Place[])[]): Place[][] {
  const ties = tiesOf(arrows);
  let order = rows.map((row) => [...row]);
  let best = order;
  let fewest = countCrossings(order, ties);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const goesUp = sweep % 2 === 0;
    const sequence = order.map((_, i) => (goesUp ? i : order.length - 1 - i));
    const changed = order.map((row) => [...row]);
    for (const i of sequence) {
      const fixed = changed[goesUp ? i - 1 : i + 1];
      if (fixed !== undefined) changed[i] = byCentre(changed[i]!, fixed, ties);
    }
    order = changed;
    const crossings = countCrossings(order, ties);
    if (crossings < fewest) [best, fewest] = [order, crossings];
  }
  return best;
}

type Ties = ReadonlyMap<Place, readonly Place[]>;

function tiesOf(arrows: readonly (readonly Place[])[]): Ties {
  const ties = new Map<Place, Place[]>();
  const tie = (a: Place, b: Place) => ties.set(a, [...(ties.get(a) ?? []), b]);
  for (const arrow of arrows) {
    for (let i = 1; i < arrow.length; i++) {
      tie(arrow[i - 1]!, arrow[i]!);
      tie(arrow[i]!, arrow[i - 1]!);
    }
  }
  return ties;
}

function byCentre(row: readonly Place[], fixed: readonly Place[], ties: Ties): Place[] {
  const scale = row.length / fixed.length;
  const centre = (place: Place, i: number): number => {
    const at = (ties.get(place) ?? []).map((other) => fixed.indexOf(other)).filter((index) => index >= 0);
    return at.length === 0 ? i : (at.reduce((sum, index) => sum + index, 0) / at.length) * scale;
  };
  return row
    .map((place, i) => ({ place, i, centre: centre(place, i) }))
    .sort((a, b) => a.centre - b.centre || a.i - b.i)
    .map(({ place }) => place);
}

function countCrossings(rows: readonly (readonly Place[])[], ties: Ties): number {
  let crossings = 0;
  for (let row = 1; row < rows.length; row++) {
    const below = rows[row - 1]!;
    const ends = rows[row]!.flatMap((place, i) =>
      (ties.get(place) ?? []).flatMap((other) => (other.row === row - 1 ? [[i, below.indexOf(other)]] : [])),
    ) as [number, number][];
    for (const [a, b] of ends) crossings += ends.filter(([c, d]) => a < c && b > d).length;
  }
  return crossings;
}
