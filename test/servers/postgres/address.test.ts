import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPostgresUri, type PostgresUri } from '../../../src/core/postgres-address.ts';
import { asStranger, parseServerAddress } from '../../../src/servers/postgres/address.ts';
import { forkLsnOf } from '../../../src/servers/postgres/promote.ts';
import { lookScript, readFound } from '../../../src/servers/postgres/rejoin-scripts.ts';

test('an address is shown as it was written unless it holds a password', () => {
  const plain = 'postgres://Ann@Db.example/shop?schema=app&sslmode=verify-full';
  const { shown, schema, uri } = parseServerAddress(plain);
  assert.deepEqual([shown, schema, uri.user, uri.hosts[0]?.host], [plain, 'app', 'Ann', 'Db.example']);
  const secret = parseServerAddress('postgres://ann:s3cret@db/shop?password=s3cret&sslpassword=s3cret');
  assert.equal(secret.shown, 'postgres://ann@db/shop');
  assert.throws(() => parseServerAddress('postgres://ann:s3cret@db'), { code: 'usage' });
  assert.throws(() => parseServerAddress('postgres://ann:s3cret@a,b/shop'), { code: 'usage' });
});

test('a stranger comes to the same place, without anything that lets us in', () => {
  const address = parseServerAddress(
    'postgres://ann:s3cret@db:5433/shop?user=bob&password=s3cret&sslcert=own.crt&sslmode=disable',
  );
  const text = (uri: PostgresUri) => formatPostgresUri(uri);
  assert.equal(
    text(asStranger(address, 'x-1')),
    'postgres://x-1:nobody@db:5433/shop?sslmode=disable&sslcertmode=disable',
  );
  const socket = parseServerAddress('postgres:///shop?host=/run/pg&user=ann&password=s3cret');
  assert.equal(
    text(asStranger(socket, 'x-1')),
    'postgres://x-1:nobody@/shop?host=%2Frun%2Fpg&sslcertmode=disable',
  );
});

test('where a timeline was left is the last line of its history', () => {
  assert.equal(
    forkLsnOf('1\t0/3000148\tno recovery target specified\n\n2\t0/A0000b8\tbefore 2026-11-29\n'),
    '0/A0000B8',
  );
  assert.equal(forkLsnOf('# nothing\n'), null);
});

test('what is found before a rejoin is read, and the password of the new primary stands where no process list shows it', () => {
  const found = readFound('source=77-2-false\nbegun=1\nid=77\ntimeline=1\nchecksums=0\nhints=on\n');
  assert.deepEqual(found, {
    ...{
      isBegun: true,
      isDone: false,
      isStandby: false,
      systemIdentifier: '77',
      timeline: 1,
      canBeRewound: true,
    },
    source: { systemIdentifier: '77', timeline: 2, isStandby: false },
  });
  const none = readFound('source=77-2-true\n');
  assert.deepEqual([none.timeline, none.canBeRewound, none.source.isStandby], [null, false, true]);
  for (const source of ["host=west password='s3 cret' user=rep", 'postgres://rep:s3%20cret@west/postgres']) {
    const old = {
      data: "/d'x",
      bin: '/b',
      config: null,
      start: null,
      stop: null,
      env: {},
      rejoins: null,
      source,
    };
    const { text, secrets } = lookScript(old);
    assert.deepEqual(secrets, ['s3 cret']);
    assert.deepEqual(
      text.split('\n').filter((line) => /s3.?.?.?cret/.test(line)),
      ["export PGPASSWORD='s3 cret'"],
    );
    assert.ok(text.includes(`data='/d'\\''x' bin`));
  }
});
