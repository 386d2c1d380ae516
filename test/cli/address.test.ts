import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  isSameStore,
  redactAddress,
  redactText,
  resolveStoreAddress,
  resolveVaultAddress,
  storeScheme,
  vaultPath,
  vaultScheme,
} from '../../src/cli/address.ts';
import { isBackupError } from '../../src/core/errors.ts';

describe('the address of a store', () => {
  it('names SQLite files and PostgreSQL databases', () => {
    assert.equal(storeScheme('sqlite:./events.db'), 'sqlite');
    assert.equal(storeScheme('SQLITE:/var/events.db'), 'sqlite');
    assert.equal(storeScheme('postgres://user@host:5432/db'), 'postgres');
    assert.equal(storeScheme('postgresql://user@host/db'), 'postgres');
  });

  for (const address of ['', 'events.db', 'sqlite:', 'mysql://host/db', 'C:\\events.db', 'constructor:x']) {
    it(`is refused when it is ${JSON.stringify(address)}, and says what is supported`, () => {
      assert.throws(() => storeScheme(address), isUsage(/sqlite:\.\/events\.db, postgres:\/\//));
    });
  }

  it('is seen from the folder that it was written in', () => {
    assert.equal(resolveStoreAddress('sqlite:./events.db', '/etc/app'), 'sqlite:/etc/app/events.db');
    assert.equal(
      resolveStoreAddress('sqlite:e.db?layout=eventcore', '/a'),
      'sqlite:/a/e.db?layout=eventcore',
    );
    assert.equal(resolveStoreAddress('sqlite:/var/events.db', '/etc/app'), 'sqlite:/var/events.db');
    assert.equal(resolveStoreAddress('postgres://host/db', '/etc/app'), 'postgres://host/db');
  });

  it('is the same however it is written', () => {
    assert.ok(isSameStore('sqlite:./a/../events.db', `sqlite:${process.cwd()}/events.db`));
    assert.ok(isSameStore('postgres://a:b@host/db', 'postgresql://c@host:5432/db?sslmode=disable'));
    assert.ok(!isSameStore('postgres://host/db', 'postgres://host/db?schema=other'));
    assert.ok(!isSameStore('postgres://host/db', 'postgres://host/db2'));
    assert.ok(!isSameStore('sqlite:./a.db', 'sqlite:./b.db'));
    assert.ok(!isSameStore('sqlite:./a.db', 'postgres://host/a.db'));
  });
});

describe('the address of a vault', () => {
  it('names a directory, as a path or with file:', () => {
    assert.equal(vaultPath('./backups'), './backups');
    assert.equal(vaultPath('/mnt/backups'), '/mnt/backups');
    assert.equal(vaultPath('file:./backups'), './backups');
    assert.equal(vaultPath('file:/mnt/back ups?#'), '/mnt/back ups?#');
    assert.equal(vaultPath('file:///mnt/backups'), '/mnt/backups');
    assert.equal(vaultPath('C:\\backups'), 'C:\\backups');
  });

  for (const address of ['', 'file:', 's3://bucket/prefix', 'https://x', 'file://host/x', 'a\0b']) {
    it(`is refused when it is ${JSON.stringify(address)}, and says what is supported`, () => {
      assert.throws(() => vaultPath(address), isUsage(/file:\.\/backups or a bare path/));
    });
  }

  it('may name a bucket', () => {
    for (const address of ['s3://bucket/prefix', 'S3://bucket', 'glacier://bucket/x?region=y']) {
      assert.equal(vaultScheme(address), 's3');
      assert.equal(resolveVaultAddress(address, '/etc/app'), address);
    }
    for (const address of ['./backups', 'file:///mnt/backups', 'C:\\backups']) {
      assert.equal(vaultScheme(address), 'file');
    }
    assert.throws(() => vaultScheme('gs://bucket/x'), isUsage(/s3:\/\/bucket\/prefix/));
  });

  it('is seen from the folder that it was written in', () => {
    assert.equal(resolveVaultAddress('./backups', '/etc/app'), 'file:/etc/app/backups');
    assert.equal(resolveVaultAddress('file:///mnt/backups', '/etc/app'), 'file:/mnt/backups');
  });
});

describe('a password', () => {
  const secret = 's3cr3t';
  const addresses = [
    `postgres://user:${secret}@host:5432/db`,
    `postgres://user:${secret}@ss@host/db`,
    `postgres://me@corp:${secret}@host/db`,
    `postgres://:${secret}@host/db`,
    `postgres://user:a/${secret}@host/db`,
    `postgres://user:a ${secret}@host/db`,
    `postgres://user:${secret}@host:99999/db`,
    `postgres://host/db?password=${secret}`,
    `postgres://host/db?sslmode=x&sslpassword=${secret}`,
    `mysql://user:${secret}@host/db`,
    `postgres:user:${secret}@host/db`,
    `postgresql:/host/db?password=${secret}`,
    `s3://AKIA:${secret}@bucket/x`,
    `s3://AKIA:a/${secret}@bucket/x`,
    `s3://bucket/x?secretAccessKey=${secret}&region=y`,
    `s3://bucket/x?region=y&sessionToken=${secret}`,
  ];
  for (const address of addresses) {
    it(`is taken out of ${address.replace(secret, '•••')}`, () => {
      assert.ok(!redactAddress(address).includes(secret), redactAddress(address));
    });
  }

  it('is not in the error for an unknown kind of store or vault', () => {
    const address = `mysql://user:${secret}@host/db`;
    for (const read of [storeScheme, vaultPath]) {
      assert.throws(
        () => read(address),
        (error) => isBackupError(error, 'usage') && !`${error.message}${error.hint}`.includes(secret),
      );
    }
  });

  it('is taken out of a text that somebody else wrote', () => {
    const text = `cannot reach "postgres://user:${secret}@host/db" nor postgres://u@h/d?password=${secret}&x=1, s3://b?secretAccessKey=${secret} sorry`;
    const clean =
      'cannot reach "postgres://user@host/db" nor postgres://u@h/d?password=***&x=1, s3://b?secretAccessKey=*** sorry';
    assert.equal(redactText(text), clean);
  });

  it('leaves an address without one as it is', () => {
    for (const address of ['postgres://user@host:5432/db?schema=x', 'sqlite:./a:b@c.db', 'file:/x', './y']) {
      assert.equal(redactAddress(address), address);
    }
  });
});

function isUsage(hint: RegExp) {
  return (error: unknown): boolean => isBackupError(error, 'usage') && hint.test(error.hint ?? '');
}
