import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  countVersions,
  runsOf,
  splitRuns,
  type VersionRun,
  withoutRuns,
} from '../../src/integrity/sample/version-runs.ts';

const versions = fc.uniqueArray(fc.integer({ min: -3, max: 40 }), { minLength: 1, maxLength: 30 });

function toRuns(numbers: readonly number[]): VersionRun[] {
  const runs: [number, number][] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}

describe('runs of versions', () => {
  it('of which others are taken away are those that a set would leave', () => {
    fc.assert(
      fc.property(versions, versions, (some, others) => {
        const left = some.filter((version) => !others.includes(version));
        assert.deepEqual(withoutRuns(toRuns(some), toRuns(others)), toRuns(left));
        assert.equal(countVersions(toRuns(left)), left.length);
      }),
    );
  });

  it('are split without losing one', () => {
    fc.assert(
      fc.property(versions, fc.integer({ min: -5, max: 45 }), (some, at) => {
        const { upTo, behind } = splitRuns(toRuns(some), at);
        assert.deepEqual(upTo, toRuns(some.filter((version) => version <= at)));
        assert.deepEqual(behind, toRuns(some.filter((version) => version > at)));
      }),
    );
  });

  it('follow from first, last and gaps', () => {
    fc.assert(
      fc.property(versions, (some) => {
        const runs = toRuns(some);
        const gaps = runs.slice(1).map(([first], i): VersionRun => [runs[i]![1] + 1, first - 1]);
        const facts = { firstVersion: runs[0]![0], lastVersion: runs.at(-1)![1], gaps };
        assert.deepEqual(runsOf(facts), runs);
      }),
    );
  });
});
