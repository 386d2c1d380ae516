import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFileSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import pg from 'pg';
import type { BackupError } from '../../../src/core/errors.ts';
import { logicalLine, splitFields } from '../../../src/servers/postgres/hba-lines.ts';
import { openRegionServer } from '../../../src/servers/postgres/server.ts';
import { type Cluster, killServer, startCluster, waitForStandbys } from '../../harness/clusters.ts';
import { startFreezingProxy } from '../../harness/freezing-proxy.ts';
import type { TestPostgres } from '../../harness/postgres.ts';
import { makeRoles } from '../../harness/postgres-roles.ts';

let cluster: Cluster;
let primary: TestPostgres;
before(async () => {
  cluster = await startCluster({ standbys: [{ name: 'west' }], settings: { max_connections: '20' } });
  primary = cluster.primary;
  await primary.exec(
    "CREATE ROLE dr SUPERUSER LOGIN; CREATE ROLE app LOGIN; CREATE ROLE slow LOGIN PASSWORD 'x'",
  );
  await primary.exec('CREATE TABLE events (n bigserial); GRANT ALL ON events, events_n_seq TO app');
  // Bytes that are no UTF-8, ends of lines of Windows, and none at the end; and the file lies elsewhere.
  const text = Buffer.from(
    '# caf\xe9\r\nhost all slow all scram-sha-256\nhost all all 127.0.0.1/32 trust\n',
    'latin1',
  );
  const rest =
    'local all all trust\nlocal replication all trust\nhost replication all 127.0.0.1/32 trust # last';
  writeFileSync(hbaFile(primary), Buffer.concat([text, Buffer.from(rest)]));
  await primary.exec(`ALTER SYSTEM SET hba_file = '${hbaFile(primary)}'`);
  await primary.restart(() => chownSync(hbaFile(primary), ...ownerOf(primary.dataDir)));
});
after(() => cluster.stop());

const within = (ms: number) => ({ signal: AbortSignal.timeout(ms) });
const hbaFile = (server: TestPostgres) =>
  server === primary ? join(server.dataDir, '../access rules.conf') : join(server.dataDir, 'pg_hba.conf');
const ownerOf = (path: string): [number, number] => [statSync(path).uid, statSync(path).gid];
const keptFile = (server: TestPostgres) => join(server.dataDir, 'pg_hba.conf.before-fence');
const open = (server: TestPostgres, user = 'dr') =>
  openRegionServer({ region: 'east', address: server.address('postgres', user) });

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A client that writes as fast as it can and comes back whenever it is put out. */
function startWriter(server: TestPostgres, user = 'app') {
  const state = { written: 0, ends: false };
  const done = (async () => {
    while (!state.ends) {
      const client = new pg.Client({ connectionString: server.address('postgres', user) });
      client.on('error', () => undefined);
      try {
        await client.connect();
        for (; !state.ends; state.written += 1) await client.query('INSERT INTO events DEFAULT VALUES');
      } catch {
        await sleep(2);
      } finally {
        client.connection.stream.destroy();
      }
    }
  })();
  const stop = (): Promise<void> => {
    state.ends = true;
    return done;
  };
  stops.push(stop);
  return { state, stop };
}

function reasonOf(user: string, more: pg.ClientConfig = {}): Promise<string> {
  const client = new pg.Client({ connectionString: primary.address('postgres', user), ...more });
  client.on('error', () => undefined);
  return client.connect().then(
    async () => {
      await client.end();
      return 'let in';
    },
    (error) => error.message,
  );
}

async function count(server = primary, user = 'dr'): Promise<number> {
  const client = new pg.Client({ connectionString: server.address('postgres', user) });
  await client.connect();
  const { rows } = await client.query('SELECT count(*)::int AS n FROM events');
  await client.end();
  return rows[0].n;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const lateMs = performance.now() + 20_000;
  while (!(await isSo())) {
    assert.ok(performance.now() < lateMs, 'waited too long');
    await sleep(5);
  }
}

function startupPacket(user: string): Buffer {
  const names = Buffer.from(`user\0${user}\0database\0postgres\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(names.length + 8, 0);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, names]);
}

test('a fence puts everybody out under load, lets replication flow, and goes without a trace', async () => {
  const original = readFileSync(hbaFile(primary));
  const writers = [1, 2, 3].map(() => startWriter(primary));
  const idle = new pg.Client({ connectionString: primary.address('postgres', 'postgres') });
  idle.on('error', () => undefined);
  await idle.connect();
  await idle
    .query("BEGIN; INSERT INTO events DEFAULT VALUES; PREPARE TRANSACTION 'left'")
    .catch(() => undefined);
  // Logical replication takes SQL as well.
  const reader = new pg.Client({
    connectionString: primary.address('postgres', 'postgres'),
    replication: 'database',
  } as pg.ClientConfig);
  reader.on('error', () => undefined);
  await reader.connect();
  await until(async () => writers.every(({ state }) => state.written > 20));

  const server = open(primary);
  assert.equal(await server.isFenced('plan-1', within(5000)), false);
  const facts = await server.fence('plan-1', within(10_000));
  assert.ok(Number(facts.ended) >= 5, JSON.stringify(facts));
  const written = await count();
  const probed = await server.probe(within(5000));
  assert.deepEqual([probed.isFenced, probed.clients], [true, 0]);
  assert.match(await reasonOf('postgres'), /pg_hba.conf rejects connection/);
  assert.match(await reasonOf('app', { replication: 'database' } as pg.ClientConfig), /pg_hba.conf rejects/);
  assert.match(await reasonOf('app', { host: join(primary.dataDir, '..') }), /pg_hba.conf rejects/);
  assert.equal(await server.countStandbys(within(5000)), 1);
  await until(async () => (await count(cluster.standbys[0], 'postgres')) === written);
  assert.deepEqual(await server.fence('plan-1', within(10_000)), { ...facts, changed: false, ended: 0 });

  await primary.restart(() => undefined);
  assert.equal(await server.isFenced('plan-1', within(5000)), true);
  assert.equal(await server.isFenced('plan-2', within(5000)), false);
  assert.equal(await count(), written);
  assert.notDeepEqual(readFileSync(hbaFile(primary)), original);

  await server.unfence(within(10_000));
  assert.deepEqual(readFileSync(hbaFile(primary)), original);
  assert.equal(readFileSync(keptFile(primary), 'utf8'), '');
  assert.equal(await server.isFenced('plan-1', within(5000)), false);
  await server.unfence(within(10_000));
  await until(async () => (await count()) > written);
  await Promise.all(writers.map((writer) => writer.stop()));
  assert.equal(await reasonOf('postgres'), 'let in');
});

test('who is still being asked for a password when the fence falls never gets in', async () => {
  const socket = connect(primary.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(startupPacket('slow'));
  const [asked] = (await once(socket, 'data')) as [Buffer];
  assert.equal(asked.toString('latin1', 0, 1), 'R');
  const closed = once(socket, 'close');
  socket.resume();
  const server = open(primary);
  await server.fence('plan-1', within(10_000));
  await closed;
  await server.unfence(within(10_000));
});

test('who was let in line by the rules from before, and speaks only afterwards, is put out before the fence is said to stand', async () => {
  await primary.exec("ALTER SYSTEM SET authentication_timeout = '1s'");
  await primary.exec('SELECT pg_reload_conf()');
  await until(
    async () => (await primary.exec('SHOW authentication_timeout'))[0]!.authentication_timeout === '1s',
  );
  const [silent, late] = [connect(primary.port, '127.0.0.1'), connect(primary.port, '127.0.0.1')];
  const closed: string[] = [];
  silent
    .on('error', () => undefined)
    .on('close', () => closed.push('silent'))
    .resume();
  const heard: Buffer[] = [];
  late.on('error', () => undefined).on('close', () => closed.push('late'));
  late.on('data', (bytes) => heard.push(bytes));
  await Promise.all([once(silent, 'connect'), once(late, 'connect')]);
  await sleep(50);
  const server = open(primary);
  const fenced = server.fence('plan-1', within(10_000)).then((facts) => {
    closed.push('fenced');
    return facts;
  });
  await until(async () => readFileSync(hbaFile(primary), 'latin1').startsWith('# eventcore fence'));
  await sleep(300);
  late.write(startupPacket('app'));
  await fenced;
  assert.deepEqual(closed, ['late', 'silent', 'fenced']);
  // It was in: with the rules that its process was made with.
  assert.equal(Buffer.concat(heard).readInt32BE(5), 0);
  await server.unfence(within(10_000));
  await primary.exec('ALTER SYSTEM RESET authentication_timeout');
  await primary.exec('SELECT pg_reload_conf()');
});

test('a server whose connections are all taken is fenced by those that are left to superusers', async () => {
  const crowd: pg.Client[] = [];
  for (;;) {
    const client = new pg.Client({ connectionString: primary.address('postgres', 'app') });
    client.on('error', () => undefined);
    const error = await client.connect().then(
      () => null,
      (failure: Error & { code?: string }) => failure.code,
    );
    if (error !== null) break;
    crowd.push(client);
  }
  const server = open(primary);
  const facts = await server.fence('plan-1', within(10_000));
  assert.equal(facts.ended, crowd.length);
  await server.unfence(within(10_000));
});

test('a standby that nobody can reach holds no fence up, and nothing is left of one that is not allowed', async () => {
  const original = readFileSync(hbaFile(primary));
  await primary.exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  await primary.exec("ALTER SYSTEM SET default_transaction_read_only = 'on'");
  await primary.exec('SELECT pg_reload_conf()');
  const writer = startWriter(primary);
  const server = open(primary);
  await server.fence('plan-1', within(10_000));
  await server.unfence(within(10_000));
  await writer.stop();
  await primary.exec('ALTER SYSTEM RESET synchronous_standby_names');
  await primary.exec('ALTER SYSTEM RESET default_transaction_read_only');
  await primary.exec('SELECT pg_reload_conf()');
  await assert.rejects(open(primary, 'app').fence('plan-1', within(5000)), {
    code: 'fence_failed',
    facts: { sqlState: '42501' },
  });
  assert.deepEqual(readFileSync(hbaFile(primary)), original);
});

test('a role with the rights that are listed sets a fence, but cannot put a superuser out', async () => {
  const original = readFileSync(hbaFile(primary));
  await makeRoles(primary, 'postgres', ['disaster']);
  await primary.exec('CREATE ROLE keeper LOGIN IN ROLE eventcore_disaster');
  const server = open(primary, 'keeper');
  const writer = startWriter(primary);
  // Written without large objects, the text has to be as PostgreSQL's own COPY writes it.
  const plain = original.toString('latin1').replaceAll('\r', '');
  writeFileSync(hbaFile(primary), Buffer.from(`${plain}\n`, 'latin1'));
  await server.fence('plan-1', within(10_000));
  assert.equal(await server.isFenced('plan-1', within(5000)), true);
  assert.equal((await server.probe(within(5000))).isFenced, true);
  await server.unfence(within(10_000));
  assert.equal(readFileSync(hbaFile(primary), 'latin1'), `${plain}\n`);
  const superuser = new pg.Client({ connectionString: primary.address('postgres', 'postgres') });
  await superuser.connect();
  await assert.rejects(server.fence('plan-1', within(10_000)), (error: BackupError) => {
    assert.deepEqual([error.code, error.message.includes('postgres from 127.0.0.1')], ['fence_failed', true]);
    return true;
  });
  await superuser.end();
  await server.unfence(within(10_000));
  await writer.stop();
  writeFileSync(hbaFile(primary), original);
});

test('a role that an application shares is no fence, and one that the file does not let in sets none', async () => {
  const writer = startWriter(primary, 'dr');
  await until(async () => writer.state.written > 5);
  const server = open(primary);
  await assert.rejects(server.fence('plan-1', within(800)), (error: BackupError) => {
    assert.deepEqual(
      [error.code, error.hint],
      ['fence_failed', 'give the recovery a role that nobody else uses: the fence lets this one in'],
    );
    return true;
  });
  assert.equal(await server.isFenced('plan-1', within(5000)), false);
  await writer.stop();
  await server.unfence(within(10_000));

  const original = readFileSync(hbaFile(primary), 'latin1');
  const other = `host all postgres all trust\n${original.replace('host all all 127', 'host all app 127')}`;
  writeFileSync(hbaFile(primary), other.replace('local all all trust\n', ''), 'latin1');
  await assert.rejects(server.fence('plan-1', within(5000)), (error: BackupError) => {
    assert.match(`${error.code} ${error.message}`, /^fence_failed the fence would keep out the role/);
    return true;
  });
  writeFileSync(hbaFile(primary), original, 'latin1');
  await primary.exec('SELECT pg_reload_conf()');
  await until(async () => (await reasonOf('dr')) === 'let in');
});

test('a file with errors is fenced as well, and keeps them', async () => {
  const original = readFileSync(hbaFile(primary), 'latin1');
  const broken = `${original}\nhost all all nowhere/99 trust\n`;
  writeFileSync(hbaFile(primary), broken, 'latin1');
  const server = open(primary);
  await server.fence('plan-1', within(10_000));
  assert.equal(await server.isFenced('plan-1', within(5000)), true);
  assert.equal(await server.countStandbys(within(5000)), 1);
  await assert.rejects(
    server.unfence(within(10_000)),
    /pg_hba.conf is as it was, but the server does not load it/,
  );
  assert.equal(readFileSync(hbaFile(primary), 'latin1'), broken);
  writeFileSync(hbaFile(primary), original, 'latin1');
  await server.unfence(within(5000));
});

test('a standby is fenced and let go of, though nothing can be written to its tables', async () => {
  const standby = cluster.standbys[0]!;
  const original = `${readFileSync(hbaFile(standby), 'latin1')}# \xe9\n`;
  writeFileSync(hbaFile(standby), original, 'latin1');
  const server = open(standby);
  await server.fence('plan-1', within(10_000));
  assert.equal(await server.isFenced('plan-1', within(5000)), true);
  await server.unfence(within(10_000));
  assert.equal(readFileSync(hbaFile(standby), 'latin1'), original);
});

test('whenever the server dies, the fence and what was before it can still be had', async () => {
  const original = readFileSync(hbaFile(primary));
  const server = open(primary);
  const writer = startWriter(primary);
  for (const [what, afterMs] of [
    ['fence', 8],
    ['fence', 25],
    ['unfence', 15],
    ['fence', 60],
    ['unfence', 30],
  ] as const) {
    const dying = what === 'fence' ? server.fence('plan-1', within(10_000)) : server.unfence(within(10_000));
    const ended = dying.catch((error) =>
      assert.match(error.code, /^(fence_failed|store_unreachable|store_refused)$/),
    );
    await sleep(afterMs);
    await killServer(primary);
    await ended;
    await primary.restart(() => undefined);
    if (what === 'unfence') await server.unfence(within(10_000));
    else await server.fence('plan-1', within(10_000));
    assert.equal(await server.isFenced('plan-1', within(5000)), what === 'fence');
    if (what === 'unfence') assert.deepEqual(readFileSync(hbaFile(primary)), original);
  }
  await writer.stop();
  assert.equal(await reasonOf('app'), 'let in');
  await waitForStandbys(primary, 1);
});

test('half a file is made whole before anything is built on it', async () => {
  const original = readFileSync(hbaFile(primary));
  const server = open(primary);
  await server.fence('plan-1', within(10_000));
  const fenced = readFileSync(hbaFile(primary));
  writeFileSync(hbaFile(primary), fenced.subarray(0, 400));
  await server.fence('plan-1', within(10_000));
  assert.deepEqual(readFileSync(hbaFile(primary)), fenced);
  writeFileSync(hbaFile(primary), original.subarray(0, 30));
  await server.unfence(within(10_000));
  assert.deepEqual(readFileSync(hbaFile(primary)), original);
  // Written, and dead before it was loaded.
  writeFileSync(hbaFile(primary), fenced);
  await killServer(primary);
  await primary.restart(() => undefined);
  assert.equal(await server.isFenced('plan-1', within(5000)), true);
  await server.unfence(within(10_000));
  assert.deepEqual(readFileSync(hbaFile(primary)), original);
  appendFileSync(hbaFile(primary), '\n# mine\n');
  await Promise.all([server.fence('plan-1', within(10_000)), server.fence('plan-2', within(10_000))]);
  assert.equal(await server.isFenced('plan-1', within(5000)), true);
  assert.equal(await server.isFenced('plan-2', within(5000)), true);
  await server.unfence(within(10_000));
  assert.equal(readFileSync(hbaFile(primary), 'latin1'), `${original.toString('latin1')}\n# mine\n`);
});

test('a network that is cut in the middle is said to leave the fence unproven, and holds up nobody who comes another way', async (t) => {
  const proxy = await startFreezingProxy(primary.port);
  t.after(() => proxy.close());
  const far = openRegionServer({
    region: 'east',
    address: `postgres://dr@127.0.0.1:${proxy.port}/postgres`,
  });
  const fenced = far.fence('plan-1', within(700));
  await until(async () => readFileSync(hbaFile(primary), 'latin1').startsWith('# eventcore fence'));
  proxy.freeze();
  await assert.rejects(fenced, { code: 'fence_failed', facts: { timedOut: true } });
  const server = open(primary);
  await server.fence('plan-1', within(10_000));
  assert.equal(await server.isFenced('plan-1', within(5000)), true);
  await server.unfence(within(10_000));
});

test('lines are cut as the server cuts them, whatever stands in them', async () => {
  const original = readFileSync(hbaFile(primary));
  const part = fc.string({
    unit: fc.constantFrom('"', '""', ' ', ',', '#', 'all', 'a', '+', '\\', '\\\n', '\t'),
  });
  const lines = fc.sample(fc.tuple(part, part), 400).map(([one, two]) => `local x${one} y${two} trust`);
  const text = `${lines.join('\n')}\nlocal all dr trust\n`;
  writeFileSync(hbaFile(primary), text);
  const rows = await primary.exec('SELECT * FROM pg_hba_file_rules WHERE error IS NULL');
  writeFileSync(hbaFile(primary), original);
  assert.ok(rows.length > 10, String(rows.length));
  for (const { line_number: number, database, user_name: users } of rows) {
    const line = logicalLine(text, Number(number));
    const fields = splitFields(line).map(({ tokens }) => tokens.map((token) => token.text));
    assert.deepEqual([fields[1], fields[2]], [database, users], line);
  }
});

test('rules of files that are included are fenced as those of the file itself', async (t) => {
  const [{ version }] = (await primary.exec(
    "SELECT current_setting('server_version_num')::int AS version",
  )) as [{ version: number }];
  if (version < 160_000) return t.skip('no files are included before PostgreSQL 16');
  const original = readFileSync(hbaFile(primary));
  const folder = join(primary.dataDir, 'rules');
  mkdirSync(folder);
  writeFileSync(join(folder, 'roles'), 'postgres, "dr"\n');
  writeFileSync(join(folder, '1.conf'), 'host all @roles 127.0.0.1/32 trust\n');
  writeFileSync(join(folder, '2.conf'), 'host postgres /^d?r$ 127.0.0.1/32 \\\n  trust\n');
  for (const place of ['1.conf', '2.conf']) {
    writeFileSync(hbaFile(primary), `include "${join(folder, place)}"\nlocal all all trust\n`);
    const server = open(primary);
    await server.fence('plan-1', within(10_000));
    assert.match(await reasonOf('app'), /pg_hba.conf rejects/);
    await server.unfence(within(10_000));
  }
  writeFileSync(hbaFile(primary), original);
  await primary.restart(() => undefined);
});
