import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatConninfo,
  namesUpstream,
  parseConninfo,
  withUpstream,
} from '../../../src/servers/postgres/conninfo.ts';

const west = { host: 'west.example', port: 5433 };

test('a standby is led to another server, and all else of how it speaks to one stays', () => {
  const former = `user=rep password='it''s' host=east,east2 hostaddr=10.0.0.1 port=1,2 application_name='a b' sslmode=verify-full`;
  assert.throws(() => withUpstream(former, west), { code: 'store_refused' });
  const sound = former.replace("'it''s'", String.raw`'it\'s \\'`);
  assert.equal(
    withUpstream(sound, west),
    String.raw`host=west.example port=5433 user=rep password='it\'s \\' application_name='a b' sslmode=verify-full`,
  );
});

test('the form of an address is led elsewhere as well, with its parameters', () => {
  const former =
    'postgres://rep:s%40x@east:1,[::1]:2/replication?sslmode=require&host=/run&port=3&application_name=a';
  assert.equal(
    withUpstream(former, west),
    'postgresql://rep:s%40x@west.example:5433/replication?sslmode=require&application_name=a',
  );
  assert.equal(withUpstream('postgresql://east', { host: '::1', port: 2 }), 'postgresql://[::1]:2');
});

test('it is told whether a standby is led to a server already', () => {
  assert.equal(namesUpstream('host = west.example port=5433 user=a', west), true);
  assert.equal(namesUpstream('host=west.example user=a', { ...west, port: 5432 }), true);
  assert.equal(namesUpstream('host=west.example port=5433 hostaddr=10.0.0.1', west), false);
  assert.equal(namesUpstream('host=east port=5433', west), false);
  assert.equal(namesUpstream(withUpstream('postgres://a@east/x', west), west), true);
  assert.equal(namesUpstream('postgres://a@east/x', west), false);
});

test('whatever stands in a connection string is read as it was written', () => {
  const keyword = fc.stringMatching(/^[a-z_]{1,8}$/);
  const value = fc.string({
    unit: fc.constantFrom(' ', "'", '\\', '=', 'a', 'é', '\n', ',', '/'),
    maxLength: 8,
  });
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(keyword, value), { selector: ([name]) => name }), (parameters) => {
      assert.deepEqual([...parseConninfo(formatConninfo(parameters))], parameters);
    }),
  );
});

test('what libpq would not read is refused, and never repeated', () => {
  for (const text of ["password='s3cret", 'password', '=s3cret', "a=b password='s3cret' s3cret"]) {
    assert.throws(
      () => parseConninfo(text),
      (error: Error & { hint?: string }) => !`${error.message} ${error.hint}`.includes('s3cret'),
      text,
    );
  }
});
