/** A fleet whose configurations come, change and go while it is served. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadSettings } from '../../../src/cli/config/config.ts';
import { requireFleet } from '../../../src/cli/fleet/members.ts';
import { names, serveForTest, until } from './served-fleet.ts';

const root = mkdtempSync(join(tmpdir(), 'eventcore-roster-'));
after(() => rmSync(root, { recursive: true, force: true }));

const COMMON = 'vault: "./backups/{name}"\nserve: { jobs: { full: "0 2 * * *" } }\nfleet: {}\n';

async function makeFleet(t: TestContext, name: string, stores: readonly string[]) {
  const folder = join(root, name);
  mkdirSync(join(folder, 'stores'), { recursive: true });
  const write = (store: string, more = ''): void =>
    writeFileSync(
      join(folder, 'stores', `${store}.yaml`),
      `extends: ../fleet.yaml\nstore: sqlite:../${store}.db\n${more}`,
    );
  writeFileSync(join(folder, 'fleet.yaml'), COMMON);
  for (const store of stores) write(store);
  const { env } = process;
  const file = join(folder, 'fleet.yaml');
  const settings = requireFleet(await loadSettings({ flags: { config: file }, env, cwd: folder }), {
    flags: {},
    env,
  });
  const served = serveForTest(settings, folder, { look: 20, tryAgain: 60_000, search: 60_000 });
  t.after(served.end);
  return { folder, write, ...served };
}

describe('a fleet that is served', () => {
  it('takes in who comes and lets go of who is gone, which is told', async (t) => {
    const { folder, write, said, roster, registry } = await makeFleet(t, 'come', ['a', 'b']);
    await until(() => names(roster).join() === 'a,b', 'both are served');
    write('c');
    await until(() => names(roster).join() === 'a,b,c', 'it is served');
    rmSync(join(folder, 'stores/b.yaml'));
    await until(() => names(roster).join() === 'a,c', 'it is served no more');
    assert.ok(said.includes('b: its configuration is gone: it is served no more'), said.join('\n'));
    assert.deepEqual(
      roster.missing().map(({ name, state }) => [name, state]),
      [['b', 'gone']],
    );
    assert.ok(registry.views().every(({ store }) => store !== 'b'));
    write('b');
    await until(() => names(roster).join() === 'a,b,c' && roster.missing().length === 0, 'it is back');
  });

  it('serves the others where one is wrong, tells why, and serves it once it is put right', async (t) => {
    const { write, said, roster } = await makeFleet(t, 'wrong', ['a']);
    await until(() => names(roster).join() === 'a', 'it is served');
    write('bad', 'backup: { level: high }\n');
    write('twin', 'vault: ../backups/a\n');
    write('door', 'serve: { listen: "0.0.0.0:1" }\n');
    await until(() => roster.missing().length === 3, 'three are not served');
    assert.deepEqual(names(roster), ['a']);
    assert.match(said.join('\n'), /^bad: it is not served: .*`backup\.level` is not valid/m);
    assert.match(said.join('\n'), /^twin: it is not served: .*has the vault of .*a\.yaml$/m);
    assert.match(said.join('\n'), /^door: it is not served: `serve\.listen` stands in /m);
    write('bad');
    await until(() => names(roster).join() === 'a,bad', 'it is served');
    write('bad', 'backup: { level: high }\n');
    await until(() => said.some((line) => /^bad: the old configuration stays in force/.test(line)), 'told');
    assert.deepEqual(names(roster), ['a', 'bad']);
  });

  it('stays as it was where the folder cannot be read, or most of it is gone at once: a disk that was not mounted', async (t) => {
    const { folder, said, roster } = await makeFleet(t, 'gone', ['a', 'b', 'c', 'd', 'e']);
    await until(() => names(roster).length === 5, 'all are served');
    renameSync(join(folder, 'stores'), join(folder, 'away'));
    await until(() => said.some((line) => /^the stores stay as they were/.test(line)), 'it is told');
    mkdirSync(join(folder, 'stores'));
    await until(
      () => said.some((line) => /^5 stores have no configuration any more, all at once/.test(line)),
      'it is told',
    );
    await sleep(100);
    assert.equal(names(roster).length, 5);
    assert.equal(said.filter((line) => /all at once/.test(line)).length, 1);
  });
});
