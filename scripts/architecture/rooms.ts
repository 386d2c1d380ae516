import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { readImports } from '../../test/architecture/imports.ts';

const SRC = join(import.meta.dirname, '../../src');

/** Who imports whom, of rooms: folders right under src/, and index.ts. */
export type RoomGraph = ReadonlyMap<string, ReadonlySet<string>>;

export function readRooms(): RoomGraph {
  const graph = new Map<string, Set<string>>();
  for (const path of globSync('**/*.ts', { cwd: SRC }).sort()) {
    const room = roomOf(path);
    const targets = graph.get(room) ?? new Set();
    graph.set(room, targets);
    for (const { specifier } of readImports(readFileSync(join(SRC, path), 'utf8'))) {
      const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : null;
      if (target !== null && !target.startsWith('..') && roomOf(target) !== room) targets.add(roomOf(target));
    }
  }
  return graph;
}

function roomOf(path: string): string {
  return path.split('/')[0]!;
}

/** What a room is for, in a few words: the title of its README. */
export function captionOf(room: string): string {
  const [title = ''] = readFileSync(join(SRC, room, 'README.md'), 'utf8').split('\n');
  return /^# [^:]+: (.+)$/.exec(title)?.[1] ?? '';
}

/** Without each arrow that others lead around to, so that a new import seldom changes the picture. */
export function reduce(graph: RoomGraph): RoomGraph {
  const reached = new Map<string, ReadonlySet<string>>();
  for (const room of graph.keys()) reach(graph, room, reached);
  return new Map(
    [...graph].map(([room, targets]) => {
      const around = [...targets].flatMap((target) => [...(reached.get(target) ?? [])]);
      return [room, new Set([...targets].filter((target) => !around.includes(target)))];
    }),
  );
}

function reach(
  graph: RoomGraph,
  room: string,
  reached: Map<string, ReadonlySet<string>>,
): ReadonlySet<string> {
  const known = reached.get(room);
  if (known !== undefined) return known;
  const found = new Set<string>();
  for (const target of graph.get(room) ?? []) {
    found.add(target);
    for (const further of reach(graph, target, reached)) found.add(further);
  }
  reached.set(room, found);
  return found;
}
