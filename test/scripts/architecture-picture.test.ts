import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { drawArchitecture } from '../../scripts/architecture/draw.ts';
import { layOut } from '../../scripts/architecture/layout.ts';
import { captionOf, readRooms, reduce } from '../../scripts/architecture/rooms.ts';

const ROOT = join(import.meta.dirname, '../..');
const ARCHITECTURE = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
const rooms = foldersOf('src');

describe('the picture of the architecture', () => {
  it('is as the imports are', () => {
    const drawn = readFileSync(join(ROOT, 'docs/pictures/architecture.svg'), 'utf8');
    assert.equal(drawn, drawArchitecture(readRooms()), 'run: npm run architecture:picture');
  });

  it('has each room, with a caption that fits into its box', () => {
    const drawn = drawArchitecture(readRooms());
    for (const room of rooms) {
      assert.ok(drawn.includes(`>${room}</text>`), room);
      assert.match(captionOf(room), /^.{4,23}$/, `the title of src/${room}/README.md says no few words`);
    }
  });

  it('leaves out arrows that others lead around to, and no others', () => {
    const graph = graphOf({ a: 'bcd', b: 'c', c: 'd', d: '', e: 'ad' });
    assert.deepEqual(shown(reduce(graph)), { a: 'b', b: 'c', c: 'd', d: '', e: 'a' });
  });

  it('places each room above all that it imports, and each arrow through every row between', () => {
    const graph = graphOf({ a: 'bd', b: 'c', c: 'd', d: '', e: 'd', f: '', g: 'f' });
    const { rows, arrows } = layOut(graph, 2);
    assert.ok(rows.every((row) => row.filter(({ isRoom }) => isRoom).length <= 2));
    assert.equal(rows.flat().filter(({ isRoom }) => isRoom).length, 7);
    assert.equal(arrows.length, 6);
    for (const arrow of arrows) {
      const down = arrow.map(({ row }) => row);
      assert.deepEqual(
        down,
        down.map((_, i) => down[0]! - i),
      );
      assert.ok(arrow.every((place) => rows[place.row]!.includes(place)));
    }
  });

  it('untangles arrows where that can be done', () => {
    const { rows } = layOut(graphOf({ a: 'y', b: 'x', x: '', y: '' }), 2);
    const names = rows.map((row) => row.map(({ name }) => name).join(''));
    assert.ok(['xy ba', 'yx ab'].includes(names.join(' ')), names.join(' '));
  });
});

describe('each folder of the sources', () => {
  for (const folder of [...rooms, ...foldersOf('src/cli').map((name) => `cli/${name}`)]) {
    it(`src/${folder} says what it is for`, () => {
      const path = join(ROOT, 'src', folder);
      assert.ok(existsSync(join(path, 'README.md')), 'it has no README.md');
      const text = readFileSync(join(path, 'README.md'), 'utf8');
      const lines = text.split('\n').filter((line) => line !== '');
      assert.match(lines[0]!, new RegExp(`^# ${folder.split('/').at(-1)}(?:: |$)`));
      assert.ok(lines.length >= 2 && lines.length <= 6, `${lines.length} lines`);
      for (const [, named] of text.matchAll(/`([\w./-]+(?:\.(?:ts|md)|\/))`/g)) {
        const exists = [path, join(path, '..')].some((from) => existsSync(join(from, named!)));
        assert.ok(exists, `it names ${named}, which is not there`);
      }
    });
  }

  it('has a row in ARCHITECTURE.md when it is a room', () => {
    for (const room of rooms) assert.match(ARCHITECTURE, new RegExp(`^ {6}${room}/ `, 'm'));
  });
});

function foldersOf(path: string): string[] {
  const entries = readdirSync(join(ROOT, path), { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

function graphOf(targets: Readonly<Record<string, string>>): ReadonlyMap<string, ReadonlySet<string>> {
  return new Map(Object.entries(targets).map(([room, others]) => [room, new Set(others)]));
}

function shown(graph: ReadonlyMap<string, ReadonlySet<string>>): Record<string, string> {
  return Object.fromEntries([...graph].map(([room, others]) => [room, [...others].join('')]));
}
