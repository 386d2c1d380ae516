import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addressForOthers,
  databaseOf,
  formatPostgresUri,
  hostsOf,
  parsePostgresUri,
  redactPostgresAddress,
  withDatabase,
} from '../../src/core/postgres-address.ts';

/** Held against psql 15, which names hosts and ports in its errors. */
const READ: readonly [
  address: string,
  hosts: string,
  database: string | null,
  user?: string | undefined,
  password?: string,
][] = [
  ['postgres://db/shop', 'db:', 'shop'],
  ['postgresql://ann@db:5433/shop', 'db:5433', 'shop', 'ann'],
  ['postgres://ann:s3%2Fcret%40@db/shop', 'db:', 'shop', 'ann', 's3/cret@'],
  ['postgres://ann:p+w@db/shop', 'db:', 'shop', 'ann', 'p+w'],
  ['postgres://:secret@db/shop', 'db:', 'shop', undefined, 'secret'],
  ['postgres://a:5432,b:5433/shop', 'a:5432 b:5433', 'shop'],
  ['postgres://a,b:5433,c/shop', 'a: b:5433 c:', 'shop'],
  ['postgres://[::1]:5433,[2001:db8::7]/shop', '::1:5433 2001:db8::7:', 'shop'],
  ['postgres://%2Frun%2Fpostgresql/shop', '/run/postgresql:', 'shop'],
  ['postgres:///shop?host=/run/postgresql&port=5433', '/run/postgresql:5433', 'shop'],
  ['postgres:///shop?host=a,b&port=1,2', 'a:1 b:2', 'shop'],
  ['postgres://a:1,b:2/shop?port=7', 'a:7 b:7', 'shop'],
  ['postgres://a/shop?host=b&host=c+d', 'c+d:', 'shop'],
  ['postgres://a/shop?dbname=other', 'a:', 'other'],
  ['postgres://a/my%20shop', 'a:', 'my shop'],
  ['postgres://a', 'a:', null],
  ['postgres://', '', null],
  ['postgres:///', '', null],
  ['postgres://ann@/shop', '', 'shop', 'ann'],
  // libpq takes the first @, and finds no such host; whoever writes it means the last.
  ['postgres://ann:p@ss@db/shop', 'db:', 'shop', 'ann', 'p@ss'],
];

test('an address says the hosts, the database and the user that libpq reads in it', () => {
  for (const [address, hosts, database, user = null, password = null] of READ) {
    const uri = parsePostgresUri(address);
    assert.ok(uri !== null, address);
    const places = hostsOf(uri).map(({ host, port }) => `${host}:${port}`);
    assert.deepEqual(
      [places.join(' '), databaseOf(uri), uri.user, uri.password],
      [hosts, database, user, password],
      address,
    );
  }
});

test('what libpq cannot read is no address', () => {
  const wrong = [
    ...[
      'postgres:/db/shop',
      'mysql://db/shop',
      'postgres://[::1/shop',
      'postgres://::1/shop',
      'postgres://db:x/shop',
    ],
    ...['postgres://db/%00', 'postgres://db/%zz', 'postgres://db/shop?a', 'postgres://db/shop?a=b=c', ''],
  ];
  for (const address of wrong) assert.equal(parsePostgresUri(address), null, address);
});

test('what was read and written again is the same address', () => {
  for (const [address] of READ) {
    const uri = parsePostgresUri(address)!;
    assert.deepEqual(parsePostgresUri(formatPostgresUri(uri)), uri, address);
  }
});

test('an address is shown as it was written, without what is secret in it', () => {
  assert.equal(
    redactPostgresAddress('postgres://Ann@a:1,b/shop?host=%2Fx'),
    'postgres://Ann@a:1,b/shop?host=%2Fx',
  );
  assert.equal(
    redactPostgresAddress('postgres://ann:s3cret@a:1,b/shop?x=y'),
    'postgres://ann@a:1,b/shop?x=y',
  );
  assert.equal(redactPostgresAddress('postgres://a/shop?sslpassword=s3cret'), 'postgres://a/shop');
  for (const odd of [
    'postgres://ann:s3@cret@a:b:c/shop',
    'postgres://ann:s3cret%@db/shop',
    'postgres://:s3cret@[/',
  ])
    assert.doesNotMatch(redactPostgresAddress(odd), /s3|cret/, odd);
});

test('another database stands in either place of it, and what is ours is no other program’s', () => {
  assert.equal(
    withDatabase('postgres://a:1,b/shop?dbname=x&sslmode=require', 'y'),
    'postgres://a:1,b/y?sslmode=require',
  );
  assert.equal(
    addressForOthers('postgres://a/shop?layout=emmett&schema=x&sslmode=require'),
    'postgres://a/shop?sslmode=require',
  );
  assert.equal(addressForOthers('postgres://A,b/shop'), 'postgres://A,b/shop');
});
