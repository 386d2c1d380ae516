import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import {
  type DeposedMark,
  deposedName,
  listDeposed,
  parseDeposedName,
  removeDeposed,
  writeDeposed,
} from '../../src/format/deposed-mark.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';

const marks = fc.record({
  systemIdentifier: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
  timeline: fc.nat(2 ** 31),
  by: fc.oneof(fc.constant('guard'), fc.uuid()),
  state: fc.constantFrom('asked', 'stands'),
}) as fc.Arbitrary<DeposedMark>;

it('a mark says all in its name', () => {
  fc.assert(fc.property(marks, (mark) => assert.deepEqual(parseDeposedName(deposedName(mark)), { ...mark })));
  fc.assert(
    fc.property(fc.string(), (name) => assert.equal(parseDeposedName(`disaster/deposed/${name}`), null)),
  );
});

it('marks of one system are listed by their timelines, written twice they are one, and go with both their states', async () => {
  const vault = memoryVault();
  const by = '0192f0c4-5b7a-7e3a-9c41-2f5d3a1b8e70';
  const mark = { systemIdentifier: '73', by } as const;
  for (const timeline of [10, 9]) {
    for (const state of ['asked', 'stands', 'stands'] as const)
      await writeDeposed(vault, { ...mark, timeline, state });
  }
  await writeDeposed(vault, { ...mark, systemIdentifier: '731', timeline: 1, state: 'asked' });
  assert.deepEqual(
    (await listDeposed(vault, '73')).map(({ timeline, state }) => [timeline, state]),
    [
      [9, 'asked'],
      [9, 'stands'],
      [10, 'asked'],
      [10, 'stands'],
    ],
  );
  await removeDeposed(vault, { ...mark, timeline: 10 });
  assert.equal((await listDeposed(vault, '73')).length, 2);
});
