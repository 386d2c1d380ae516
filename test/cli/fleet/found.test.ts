import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadSettings } from '../../../src/cli/config/config.ts';
import { keepFound, searchedServers } from '../../../src/cli/fleet/found.ts';
import { listFleet, readMember, requireFleet } from '../../../src/cli/fleet/members.ts';

const root = mkdtempSync(join(tmpdir(), 'eventcore-found-'));
after(() => rmSync(root, { recursive: true, force: true }));

const common = join(root, 'fleet.yaml');
writeFileSync(
  common,
  'vault: "./backups/{name}"\nfleet: { found: { servers: { main: { address: "postgres://db/postgres" } } } }\n',
);
const sources = { env: {}, cwd: root };
const fleet = requireFleet(await loadSettings({ flags: { config: common }, ...sources }), {
  flags: {},
  env: {},
});
const [server] = searchedServers(fleet);
const found = (...names: string[]) => names.map((name) => ({ name, labels: {} }));
const files = (): string[] => readdirSync(server!.folder).sort();

describe('configurations of databases that were found', () => {
  it('are left where most databases are gone at once, and put aside where a few are', async () => {
    assert.equal(await keepFound(server!, found('a', 'b', 'c', 'd', 'e'), common), null);
    assert.match((await keepFound(server!, found('new'), common)) ?? '', /^5 databases are gone from the/);
    assert.deepEqual(files(), ['a.yaml', 'b.yaml', 'c.yaml', 'd.yaml', 'e.yaml', 'new.yaml']);
    assert.equal(await keepFound(server!, found('a', 'b', 'c', 'd'), common), null);
    assert.deepEqual(files(), ['a.yaml', 'b.yaml', 'c.yaml', 'd.yaml', 'gone']);
    assert.deepEqual(
      await listFleet(fleet),
      files()
        .slice(0, 4)
        .map((name) => join(server!.folder, name)),
    );
    const { store } = await readMember(join(server!.folder, 'gone/e.yaml'), sources);
    assert.equal(store, 'postgres://db/e', 'it can be restored by');
  });

  it('are a thousand at most of those that are gone: the last ones', async () => {
    await keepFound(server!, found('a', 'b', 'c', 'd', 'late'), common);
    const gone = join(server!.folder, 'gone');
    const long = new Date('2026-01-01');
    for (let i = 0; i < 1000; i += 1) writeFileSync(join(gone, `${i}.yaml`), '');
    for (let i = 0; i < 1000; i += 1) utimesSync(join(gone, `${i}.yaml`), long, new Date(+long + i * 1000));
    await keepFound(server!, found('a', 'b', 'c', 'd'), common);
    const kept = new Set(readdirSync(gone));
    assert.equal(kept.size, 1000);
    assert.ok(kept.has('late.yaml') && kept.has('999.yaml') && !kept.has('0.yaml'));
  });

  it('name their database, whatever it is called, and a name that fits no path is told by its file', async () => {
    await keepFound(server!, found('a', 'b', 'c', 'eventcore.d', '../up', '.hidden'), common);
    const read = async (name: string) => readMember(join(server!.folder, `${name}.yaml`), sources);
    assert.equal((await read('eventcore.d')).store, 'postgres://db/eventcore.d');
    await assert.rejects(read('%2E.%2Fup'), /"%2E\.%2Fup" cannot stand for `\{name\}` in an address/);
    assert.ok(existsSync(join(server!.folder, '%2Ehidden.yaml')), files().join());
    assert.ok(!existsSync(join(root, 'found/up.yaml')));
  });

  it('are written only where something changed, and never in part', async () => {
    const inode = (name: string): number => statSync(join(server!.folder, name)).ino;
    const before = ['a.yaml', 'b.yaml'].map(inode);
    await keepFound(server!, [...found('a'), { name: 'b', labels: { team: 'b' } }, ...found('c')], common);
    assert.equal(inode('a.yaml'), before[0]);
    assert.notEqual(inode('b.yaml'), before[1], 'another file, put in its place');
    assert.ok(files().every((name) => !name.endsWith('.unfinished')));
  });
});
