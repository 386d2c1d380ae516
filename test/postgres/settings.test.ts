import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import { readPostgresUri } from '../../src/core/postgres-address.ts';
import { isAllowed } from '../../src/postgres/authentication.ts';
import { checkUri, connectionSettings, isSocket } from '../../src/postgres/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'eventcore-settings-'));
after(() => rmSync(folder, { recursive: true, force: true }));

type Env = Record<string, string>;

function settingsOf(address: string, env: Env = {}, sockets: readonly string[] = []) {
  return connectionSettings(readPostgresUri(address), {
    ...{ env, home: folder, login: 'os-user', exists: (path: string) => sockets.includes(path) },
  });
}

function placesOf(address: string, env: Env = {}, sockets: readonly string[] = []): string {
  return settingsOf(address, env, sockets)
    .places.map((place) => `${place.host}${place.address ? `=${place.address}` : ''}:${place.port}`)
    .join(' ');
}

test('places come from the address, then from the environment, then from what is usual', () => {
  const table: [address: string, env: Env, places: string][] = [
    ['postgres://db/shop', {}, 'db:5432'],
    ['postgres://db/shop', { PGHOST: 'other', PGPORT: '6000' }, 'db:6000'],
    ['postgres:///shop', { PGHOST: 'other' }, 'other:5432'],
    ['postgres:///shop', { PGHOST: 'a,b', PGPORT: '1,2' }, 'a:1 b:2'],
    ['postgres:///shop', { PGHOST: '/run/pg', PGPORT: '7' }, '/run/pg:7'],
    ['postgres:///shop', {}, 'localhost:5432'],
    ['postgres://a:1,b/shop', { PGPORT: '9' }, 'a:1 b:5432'],
    ['postgres://a,b/shop?port=7', {}, 'a:7 b:7'],
    ['postgres://db/shop?hostaddr=10.0.0.1', {}, 'db=10.0.0.1:5432'],
    ['postgres:///shop?hostaddr=10.0.0.1,10.0.0.2', {}, '10.0.0.1=10.0.0.1:5432 10.0.0.2=10.0.0.2:5432'],
    ['postgres://[::1]:5433/shop', {}, '::1:5433'],
  ];
  for (const [address, env, places] of table) assert.equal(placesOf(address, env), places, address);
});

test('without a host it is a socket of this machine, where there is one', () => {
  assert.equal(placesOf('postgres:///shop', {}, ['/tmp/.s.PGSQL.5432']), '/tmp:5432');
  const both = ['/tmp/.s.PGSQL.5433', '/var/run/postgresql/.s.PGSQL.5433'];
  assert.equal(placesOf('postgres:///shop?port=5433', {}, both), '/var/run/postgresql:5433');
  assert.ok(isSocket({ host: '/tmp', address: null, port: 5432 }));
  assert.ok(!isSocket({ host: '/tmp', address: '10.0.0.1', port: 5432 }));
});

test('who comes, and to which database, may be said elsewhere; the address counts for more', () => {
  const env = {
    PGUSER: 'ann',
    PGPASSWORD: 'x',
    PGDATABASE: 'shop',
    PGAPPNAME: 'nightly',
    PGOPTIONS: '-c a=b',
  };
  const { user, database, password, applicationName, options } = settingsOf('postgres://db', env);
  assert.deepEqual(
    [user, database, password, applicationName, options],
    ['ann', 'shop', 'x', 'nightly', '-c a=b'],
  );
  const said = settingsOf('postgres://bob:y@db/other?application_name=daily', env);
  assert.deepEqual(
    [said.user, said.database, said.password, said.applicationName],
    ['bob', 'other', 'y', 'daily'],
  );
  const bare = settingsOf('postgres://db/shop', { PGUSER: '', PGAPPNAME: '' });
  assert.deepEqual(
    [bare.user, bare.applicationName, bare.passwordFile],
    ['os-user', null, join(folder, '.pgpass')],
  );
});

test('TLS is what libpq makes of it', () => {
  const table: [query: string, env: Env, mode: string, rootCert: string | null][] = [
    ['', {}, 'prefer', null],
    ['', { PGSSLMODE: 'verify-full', PGSSLROOTCERT: '/ca' }, 'verify-full', '/ca'],
    ['?sslmode=require', { PGSSLMODE: 'disable' }, 'require', null],
    ['', { PGREQUIRESSL: '1' }, 'require', null],
    ['?sslrootcert=system', {}, 'verify-full', 'system'],
    ['?sslnegotiation=direct', {}, 'require', null],
    ['?ssl=true', {}, 'require', null],
    ['?ssl=0', {}, 'disable', null],
    ['?sslmode=no-verify&uselibpqcompat=true', {}, 'require', null],
  ];
  for (const [query, env, mode, rootCert] of table) {
    const { ssl } = settingsOf(`postgres://db/shop${query}`, env);
    assert.deepEqual([ssl.mode, ssl.rootCert], [mode, rootCert], query);
  }
});

test('times and choices are what libpq makes of them', () => {
  const timeout = (value: string) =>
    settingsOf(`postgres://db/shop?connect_timeout=${value}`).connectTimeoutMs;
  assert.deepEqual(['10', '1', '0', '-3'].map(timeout), [10_000, 2000, 0, 0]);
  assert.equal(settingsOf('postgres://db/shop').connectTimeoutMs, null);
  const { targetSession, isInAnyOrder, keepAlive } = settingsOf(
    'postgres://a,b/shop?load_balance_hosts=random&keepalives=0',
    { PGTARGETSESSIONATTRS: 'read-write' },
  );
  assert.deepEqual([targetSession, isInAnyOrder, keepAlive], ['read-write', true, false]);
});

test('a service says what the address does not, and more than the environment', () => {
  const file = join(folder, 'services');
  writeFileSync(
    file,
    '# ours\n[other]\nhost=wrong\n[shop]\nhost = a,b\nport=1,2\nuser=svc\ndbname=shop\n[last]\nhost=x\n',
  );
  const env = { PGSERVICEFILE: file, PGUSER: 'env' };
  const { places, user, database } = settingsOf('postgres://?service=shop', env);
  assert.deepEqual([places.map(({ host }) => host), user, database], [['a', 'b'], 'svc', 'shop']);
  assert.equal(settingsOf('postgres://me@/?service=shop', env).user, 'me');
  assert.equal(settingsOf('postgres://', { ...env, PGSERVICE: 'shop' }).database, 'shop');
  assert.throws(() => settingsOf('postgres://db/x?service=none', env), /service none is not found/);
});

test('what means nothing is refused, before anything is connected, and nothing secret is repeated', () => {
  const wrong: [address: string, env?: Env][] = [
    ['postgres://db/shop?sslmode=maybe'],
    ['postgres://db/shop?sslmod=s3cret'],
    ['postgres://db/shop', { PGSSLMODE: 'maybe' }],
    ['postgres://db/shop?target_session_attrs=master'],
    ['postgres://db/shop?connect_timeout=soon'],
    ['postgres://db:0/shop'],
    ['postgres:///shop?host=a,b&port=1,2,3'],
    ['postgres://a,b/shop?hostaddr=10.0.0.1'],
    ['postgres://db/shop?sslmode=require&sslrootcert=system'],
    ['postgres://db/shop?sslmode=prefer&sslnegotiation=direct'],
    ['postgres://db/shop?gssencmode=require'],
    ['postgres://db'],
  ];
  for (const [address, env = {}] of wrong) {
    assert.throws(
      () => settingsOf(address, env),
      (error) => isBackupError(error, 'usage') && !`${error.message} ${error.hint}`.includes('s3cret'),
      address,
    );
  }
  assert.throws(() => checkUri(readPostgresUri('postgres://db'), 'postgres://db', {}), { code: 'usage' });
  checkUri(readPostgresUri('postgres://db'), 'postgres://db', { PGDATABASE: 'shop' });
});

test('ways of authentication are allowed by name, or all but some', () => {
  assert.ok(isAllowed('md5', null));
  assert.ok(isAllowed('scram-sha-256', ['scram-sha-256', 'none']));
  assert.ok(!isAllowed('password', ['scram-sha-256']));
  assert.ok(!isAllowed('password', ['!password', '!md5']));
  assert.ok(isAllowed('scram-sha-256', ['!password', '!md5']));
});

test('a variable that asks for protection which is not there is refused, and not passed over', () => {
  assert.throws(
    () => settingsOf('postgres://db/shop', { PGREQUIREPEER: 'postgres' }),
    (error) => isBackupError(error, 'usage') && /PGREQUIREPEER is not supported/.test(error.message),
  );
  assert.equal(settingsOf('postgres://db/shop', { PGREQUIREPEER: '' }).places.length, 1);
  assert.equal(settingsOf('postgres://db/shop', { PGSSLCRLDIR: '/crls' }).ssl.crlFolder, '/crls');
});
