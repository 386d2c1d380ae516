/** Stores that are found on a server of PostgreSQL, which come, change and go with their databases. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadSettings } from '../../../src/cli/config/config.ts';
import { requireFleet } from '../../../src/cli/fleet/members.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { names, serveForTest, until } from './served-fleet.ts';

const root = mkdtempSync(join(tmpdir(), 'eventcore-found-'));
let server: TestPostgres;

before(async () => {
  server = await startPostgres();
  // Who searches needs no right but to come in.
  await server.exec('CREATE ROLE watcher LOGIN');
});
after(async () => {
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});

async function mark(database: string, value: string): Promise<void> {
  await server.exec(`ALTER DATABASE "${database}" SET eventcore.backup = '${value}'`);
}

describe('stores that are found on a server', () => {
  it('come and go with their databases, and stay while the server is away', async (t) => {
    for (const name of ['shop', 'billing', 'other']) await server.createDatabase(name);
    await mark('shop', 'team=shop, server=forged');
    await mark('billing', 'on');
    const file = join(root, 'fleet.yaml');
    const servers = {
      main: { address: server.address('postgres', 'watcher'), store: server.address('postgres') },
    };
    writeFileSync(
      file,
      `vault: "./backups/{name}"
serve: { jobs: { full: "0 2 * * *" } }
fleet: { found: { servers: ${JSON.stringify(servers)} } }
`,
    );
    const settings = requireFleet(await loadSettings({ flags: { config: file }, env: {}, cwd: root }), {
      flags: {},
      env: {},
    });
    const { roster, said, end } = serveForTest(settings, root, { look: 20, tryAgain: 60_000, search: 50 });
    t.after(end);
    await until(() => names(roster).join() === 'billing,shop', 'the two that are marked are served');
    const [, shop] = roster.services();
    assert.deepEqual(shop!.current.settings.labels, { team: 'shop', server: 'main' });
    assert.equal(shop!.current.settings.store, server.address('shop'));
    assert.equal(shop!.current.vault, `file:${join(root, 'backups/shop')}`);
    assert.equal(statSync(shop!.file).mode & 0o777, 0o600);

    await mark('other', 'team=other');
    await until(() => names(roster).join() === 'billing,other,shop', 'it is found');
    await mark('other', 'team=else');
    await until(() => labelsOf('other') === 'else', 'what it says is read anew');
    await mark('billing', 'onn');
    await until(
      () => said.some((line) => /^billing: the old configuration stays in force: .*labels\.onn/.test(line)),
      'a mistake is told, and nobody lost for it',
    );
    await server.exec('DROP DATABASE billing');
    await until(() => names(roster).join() === 'other,shop', 'it is let go');
    await until(
      () => said.includes('billing: its configuration is gone: it is served no more'),
      'and that is told once its jobs have ended',
    );
    assert.match(readFileSync(join(root, 'found/main/gone/billing.yaml'), 'utf8'), /\/billing$/m);

    await server.crash();
    await until(() => said.some((line) => /^server main: its stores stay as they were/.test(line)), 'told');
    assert.deepEqual(names(roster), ['other', 'shop']);
    assert.ok(existsSync(join(root, 'found/main/shop.yaml')));
    await server.restart(() => undefined);
    await server.createDatabase('late');
    await mark('late', 'on');
    await until(() => names(roster).join() === 'late,other,shop', 'it is searched again');
    assert.equal(new Set(said).size, said.length, 'nothing was told twice');

    function labelsOf(name: string): string | undefined {
      return roster.services().find((one) => one.name === name)?.current.settings.labels.team;
    }
  });
});
