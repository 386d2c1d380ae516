import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { planSync, type SyncCandidate } from '../../src/policy/sync-plan.ts';

/** Backups of which each builds on an earlier one, or on none. */
const candidates: fc.Arbitrary<SyncCandidate[]> = fc
  .array(
    fc.record({
      parent: fc.integer({ min: -3, max: 8 }),
      isBroken: fc.boolean(),
      isThere: fc.boolean(),
      isKept: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map((drawn) =>
    drawn.map(({ parent, isBroken, isThere, isKept }, i) => ({
      ...{ backupId: String(i), isThere, isKept },
      parentId: parent < 0 || parent >= i ? null : String(parent),
      broken: isBroken ? 'its parent is missing' : null,
    })),
  );

describe('the plan of a sync', () => {
  it('copies what is kept and what that builds on, and nothing else', () => {
    fc.assert(
      fc.property(candidates, (all) => {
        const decided = planSync(all);
        assert.deepEqual(
          decided.map(({ candidate }) => candidate),
          all,
        );
        const neededBy = (id: string): boolean =>
          all.some(({ backupId, parentId, isKept }) => parentId === id && (isKept || neededBy(backupId)));
        for (const { candidate, action, reason } of decided) {
          const { backupId, broken, isThere, isKept } = candidate;
          const isWanted = isKept || neededBy(backupId);
          const expected = isThere ? 'complete' : !isWanted ? 'leave' : broken !== null ? 'refuse' : 'copy';
          assert.equal(action, expected);
          assert.ok(reason.length > 0);
        }
      }),
    );
  });
});
