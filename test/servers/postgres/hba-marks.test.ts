import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fencedHba, joinFence, leaveFence, readFence } from '../../../src/servers/postgres/hba-fence.ts';

const ADMIN = { role: 'dr', groups: ['dr'], patterns: [] };
const TEXT = 'local all all trust\n# a comment\nhost all all 0.0.0.0/0 scram-sha-256\n';

function fencedBy([first, ...others]: readonly string[]): string {
  return others.reduce((text, mark) => joinFence(text, mark), fencedHba(TEXT, [], ADMIN, first!));
}

test('a fence without one of those who set it is the one that the others set, and none when nobody is left', () => {
  const marks = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(marks, fc.nat(7), (all, n) => {
      const gone = all[n % all.length]!;
      const left = all.filter((mark) => mark !== gone);
      const text = leaveFence(fencedBy(all), gone);
      assert.equal(text, left.length === 0 ? null : fencedBy(left));
      if (text !== null) assert.deepEqual(readFence(text), { marks: left, original: TEXT });
    }),
  );
});
