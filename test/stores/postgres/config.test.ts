import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BackupError } from '../../../src/core/errors.ts';
import { parsePostgresAddress } from '../../../src/stores/postgres/config.ts';

test('an address is split into how the server is reached and what is ours', () => {
  const address = parsePostgresAddress(
    'postgres://ann@db.example:5433/shop?layout=eventcore&schema=app&sslmode=verify-full',
  );
  assert.equal(address.schema, 'app');
  assert.deepEqual(address.uri.hosts, [{ host: 'db.example', port: '5433' }]);
  assert.equal(address.uri.parameters.get('sslmode'), 'verify-full');
});

test('the schema is public unless the address names one', () => {
  assert.equal(parsePostgresAddress('postgresql://db/shop').schema, 'public');
  assert.equal(parsePostgresAddress('postgres:///shop?host=/var/run/postgresql').schema, 'public');
});

test('how long locks are waited for may be said', () => {
  assert.equal(parsePostgresAddress('postgres://db/shop').lockTimeout, '30s');
  const said = parsePostgresAddress('postgres://db/shop?lock_timeout=700&sslmode=disable');
  assert.equal(said.lockTimeout, '700');
});

test('no password is in what is shown, wherever it stood', () => {
  const { shown, uri } = parsePostgresAddress(
    'postgres://ann:s3cret%2F1@db.example/shop?password=s3cret%2F1&sslpassword=s3cret%2F1&schema=app',
  );
  assert.equal(uri.password, 's3cret/1');
  assert.equal(shown, 'postgres://ann@db.example/shop?schema=app');
});

test('an address that cannot be used is refused without repeating a password', () => {
  const wrong: [string, string][] = [
    ['postgres://ann:s3cret@db:port/shop', 'usage'],
    ['postgres://ann:s3cret@db', 'usage'],
    ['postgres://ann:s3cret@db/', 'usage'],
    ['mysql://ann:s3cret@db/shop', 'usage'],
    ['postgres:ann:s3cret@db/shop', 'usage'],
    ['postgres:/ann:s3cret@db/shop', 'usage'],
    ['postgres://ann:s3cret@db/shop?schema=', 'usage'],
    ['postgres://ann:s3cret@db/shop?sslmod=s3cret', 'usage'],
    ['postgres://ann:s3cret@db/shop?sslmode=maybe', 'usage'],
    [`postgres://ann:s3cret@db/shop?schema=${'x'.repeat(64)}`, 'usage'],
    ['postgres://ann:s3cret@db/shop?lock_timeout=soon', 'usage'],
    ['postgres://ann:s3cret@db/shop?layout=axon', 'store_unsupported'],
  ];
  for (const [address, code] of wrong) {
    assert.throws(
      () => parsePostgresAddress(address),
      (error) => {
        assert.ok(error instanceof BackupError);
        assert.equal(error.code, code);
        assert.ok(!`${error.message} ${error.hint}`.includes('s3cret'), error.message);
        return true;
      },
    );
  }
});

test('a layout of the configuration may be named, but not like one of ours', () => {
  const columns = { id: null, stream: 's', version: 'v', type: 't', data: 'd', metadata: null, time: 'w' };
  const rest = { versionBase: 0, order: [], sequences: [], belongs: [] } as const;
  const mapping = { schema: 'shop', table: 'log', columns, ...rest };
  const address = parsePostgresAddress('postgres://db/shop?layout=orders', { orders: mapping });
  assert.deepEqual([address.custom?.name, address.schema, address.foreign], ['orders', 'shop', null]);
  assert.equal(
    parsePostgresAddress('postgres://db/shop?layout=orders&schema=x', { orders: mapping }).schema,
    'x',
  );
  assert.throws(
    () => parsePostgresAddress('postgres://db/shop?layout=emmett', { emmett: mapping }),
    /this program has a layout of that name/,
  );
});
