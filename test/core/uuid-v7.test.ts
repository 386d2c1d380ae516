import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { timeFromUnixMs } from '../../src/core/time.ts';
import { timeOfUuidV7, uuidV7Source } from '../../src/core/uuid-v7.ts';

const AT = 0x0190_0000_0001;

test('an id carries its millisecond, version 7 and the RFC variant', () => {
  const id = uuidV7Source(() => AT, randomBytes)();
  assert.match(id, /^01900000-0001-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('20,000 ids of one millisecond are all different and ascend', () => {
  const next = uuidV7Source(() => AT, randomBytes);
  const ids = Array.from({ length: 20_000 }, next);
  assert.deepEqual(ids, [...new Set(ids)].sort());
});

test('ids ascend when the clock steps back', () => {
  const clock = [AT + 500, AT, AT + 1, AT + 501];
  const next = uuidV7Source(() => clock.shift()!, randomBytes);
  const ids = [next(), next(), next(), next()];
  assert.deepEqual(ids, [...ids].sort());
  assert.ok(ids[3]!.startsWith('01900000-01f6-'));
});

test('the random bits of two ids differ, and the given bytes stay as they were', () => {
  const given = new Uint8Array(16).fill(0xff);
  const next = uuidV7Source(
    () => AT,
    () => given,
  );
  assert.equal(next(), '01900000-0001-77ff-bfff-ffffffffffff');
  assert.ok(given.every((byte) => byte === 0xff));
  const random = uuidV7Source(() => AT, randomBytes);
  assert.notEqual(random().slice(19), random().slice(19));
});

test('an id says when it was made, and other UUIDs do not', () => {
  const bytes = (id: string): Uint8Array => Buffer.from(id.replaceAll('-', ''), 'hex');
  assert.equal(timeOfUuidV7(bytes(uuidV7Source(() => AT, randomBytes)())), timeFromUnixMs(AT));
  assert.equal(timeOfUuidV7(bytes('01900000-0001-4000-8000-000000000000')), null);
  assert.equal(timeOfUuidV7(bytes('01900000-0001-7000-0000-000000000000')), null);
});
