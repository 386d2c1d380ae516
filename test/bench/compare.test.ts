import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareOutcomes, namesToCompare, ratiosOf } from '../../bench/compare.ts';
import type { Outcome } from '../../bench/results.ts';
import { outcome, result } from './sample-outcome.ts';

function withOurs(changes: Parameters<typeof result>[2]): Outcome {
  const [, ...others] = outcome().results;
  return outcome({
    results: [result('backup', 'ours', { wallSeconds: 5, bytes: 500_000, ...changes }), ...others],
  });
}

const worse = (before: Outcome, now: Outcome) =>
  compareOutcomes(before, now)
    .filter(({ isWorse }) => isWorse)
    .map(({ name, figure }) => `${figure} ${name}`);

describe('the comparison with published ratios', () => {
  it('has ratios of ours to the baseline and to the peers of the requirements, and our memory', () => {
    const ratios = ratiosOf(outcome()).map(({ name, figure, value }) => [figure, name, value]);
    assert.deepEqual(ratios, [
      ['peakMiB', 'backup', 150],
      ['wallSeconds', 'backup / pg_dump -Fc', 0.25],
      ['bytes', 'backup / pg_dump -Fc', 0.5],
      ['peakMiB', 'verify', 150],
      ['wallSeconds', 'backup / COPY binary | zstd -1', 0.625],
    ]);
  });

  it('finds nothing worse in what is the same, faster, or slower by chance', () => {
    assert.deepEqual(worse(outcome(), outcome()), []);
    assert.deepEqual(worse(outcome(), withOurs({ wallSeconds: 3, bytes: 400_000, peakMiB: 90 })), []);
    assert.deepEqual(worse(outcome(), withOurs({ wallSeconds: 5.5, bytes: 505_000, peakMiB: 165 })), []);
  });

  it('names what got worse: time, bytes, memory', () => {
    assert.deepEqual(worse(outcome(), withOurs({ wallSeconds: 6 })), [
      'wallSeconds backup / pg_dump -Fc',
      'wallSeconds backup / COPY binary | zstd -1',
    ]);
    assert.deepEqual(worse(outcome(), withOurs({ bytes: 520_000 })), ['bytes backup / pg_dump -Fc']);
    assert.deepEqual(worse(outcome(), withOurs({ peakMiB: 200 })), ['peakMiB backup']);
  });

  it('compares ratios, not seconds: a slower machine is slower for all', () => {
    const { results } = outcome();
    const slow = results.map((one) =>
      result(one.name, one.role, { ...one.summary, wallSeconds: one.summary.wallSeconds * 3 }, one.work),
    );
    assert.deepEqual(worse(outcome(), outcome({ results: slow })), []);
  });

  it('leaves out what only one side has, and peers that nothing is divided by', () => {
    const more = outcome({ results: [...outcome().results, result('backup, new', 'variant')] });
    assert.equal(compareOutcomes(outcome(), more).length, compareOutcomes(outcome(), outcome()).length);
    const names = namesToCompare(outcome({ results: [...outcome().results, result('slow way', 'peer')] }));
    assert.deepEqual([...names], ['backup', 'pg_dump -Fc', 'COPY binary | zstd -1', 'verify']);
  });
});
