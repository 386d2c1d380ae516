import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { openRegionServer, openVault } from '../../src/cli/wire.ts';
import { GUARD_MARK } from '../../src/disaster/guard-close.ts';
import { serverFence } from '../../src/disaster/server-fence.ts';
import { readProbe } from '../../src/disaster/vantage.ts';
import { readNewestSamples } from '../../src/format/disaster-sample.ts';
import { awaitCommand, runHere, startCommand } from '../harness/command.ts';
import { freePort } from '../harness/free-port.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

const PLAN = '0192f0c4-5b7a-7e3a-9c41-2f5d3a1b8e70';

let server: TestPostgres;
let folder: string;
let address: string;

before(async () => {
  server = await startPostgres({ isConfiguredByFile: true });
  folder = mkdtempSync(join(tmpdir(), 'eventcore-dr-'));
  address = server.address('events');
  await server.createDatabase('events');
  await server.exec('CREATE ROLE app LOGIN');
  const gone = `postgres://postgres:hidden@127.0.0.1:${await freePort()}/events`;
  writeFileSync(
    join(folder, 'eventcore.config.yaml'),
    `disaster:
  regions:
    - { region: east, servers: ["${address}"], vault: "file:./east", fence: [postgres] }
    - { region: west, servers: ["${gone}"], vault: "file:./west", fence: [postgres] }
`,
  );
});

after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

function words(...rest: string[]): string[] {
  return ['--config', join(folder, 'eventcore.config.yaml'), '--log-level', 'error', ...rest];
}

it('a probe says how servers look from here, as a vantage point’s answer is read, and fails for none of them', async () => {
  const { code, stdout } = await runHere(words('--json', 'dr', 'probe'));
  assert.equal(code, 0);
  const observations = readProbe(stdout)!;
  assert.deepEqual(
    observations.map(({ region, outcome, state }) => [region, outcome, state?.role]),
    [
      ['east', 'answered', 'primary'],
      ['west', 'unreachable', undefined],
    ],
  );
  assert.doesNotMatch(stdout, /hidden/);
});

it('a sample of the primary lies in the vault of the other region, once or again and again', async () => {
  const { code, stdout } = await runHere(words('dr', 'sample', '--once'));
  assert.equal(code, 0, stdout);
  const vault = openVault(`file:${join(folder, 'west')}`);
  await vault.open({ create: false });
  const [first] = await readNewestSamples(vault, 5);
  assert.equal(first?.server, address);
  const loop = startCommand(folder, words('dr', 'sample', '--interval', '1s'));
  for (let i = 0; i < 100 && (await readNewestSamples(vault, 5)).length < 3; i += 1) await sleep(50);
  loop.kill('SIGTERM');
  const ended = await awaitCommand(loop);
  assert.equal(ended.code, 130, ended.stderr);
  assert.ok((await readNewestSamples(vault, 5)).length >= 3);
  await vault.close();
});

it('fences of several stand beside one another, and each goes for itself', async () => {
  const opened = await openRegionServer({ region: 'east', address });
  const signal = AbortSignal.timeout(30_000);
  const fence = serverFence(opened, PLAN);
  await fence.apply({ signal });
  await opened.fence(GUARD_MARK, { signal });
  assert.equal(await getsIn(), false);
  await fence.lift!({ signal });
  assert.equal(await fence.check({ signal }), 'open');
  assert.equal(await getsIn(), false);
  assert.equal(await opened.isFenced(GUARD_MARK, { signal }), true);
  await opened.unfence({ signal, mark: PLAN });
  assert.equal(await getsIn(), false);
  await opened.unfence({ signal, mark: GUARD_MARK });
  assert.equal(await getsIn(), true);
  await opened.close();
});

it('who was halted while it holds the lock of fences keeps nobody from fencing', async () => {
  const halted = new pg.Client({ connectionString: address });
  halted.on('error', () => undefined);
  await halted.connect();
  await halted.query("SELECT pg_advisory_lock(hashtextextended('eventcore fence', 0))");
  const opened = await openRegionServer({ region: 'east', address });
  const beganAtMs = performance.now();
  await opened.fence(GUARD_MARK, { signal: AbortSignal.timeout(30_000) });
  assert.ok(performance.now() - beganAtMs < 10_000);
  assert.equal(await getsIn(), false);
  await opened.close();
  await halted.end().catch(() => undefined);
});

it('`dr guard --fence` closes a server before it starts in earnest: it stays closed when it does', async () => {
  const done = await runHere(['dr', 'guard', '--server', address, '--fence']);
  assert.equal(done.code, 0, done.stderr);
  await server.restart(() => undefined);
  assert.equal(await getsIn(), false);
  const opened = await runHere(['dr', 'guard', '--server', address, '--unfence']);
  assert.equal(opened.code, 0, opened.stderr);
  assert.equal(await getsIn(), true);
  const away = await runHere([
    'dr',
    'guard',
    '--server',
    address.replace(/:\d+\//, ':1/'),
    '--fence',
    '--data-dir',
    folder,
  ]);
  assert.equal(away.code, 0, 'a server that does not run is closed');
});

async function getsIn(): Promise<boolean> {
  const client = new pg.Client({ host: server.host, port: server.port, user: 'app', database: 'events' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
