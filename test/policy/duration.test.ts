import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DAY_MS, formatSpan, parseSpan } from '../../src/policy/duration.ts';

const HOUR_MS = DAY_MS / 24;

describe('a span of time', () => {
  it('is a whole number and a unit; a year has 365 days, a month 30', () => {
    const days = (text: string) => parseSpan(text, 'months')! / DAY_MS;
    assert.deepEqual(
      ['30d', '12w', '6m', '6mo', '7y', '12h', '30 d'].map(days),
      [30, 84, 180, 180, 2555, 0.5, 30],
    );
  });

  it('says months with a bare m where something is kept, minutes where something is lost', () => {
    assert.equal(parseSpan('15m', 'minutes'), 15 * 60_000);
    assert.equal(parseSpan('15m', 'months'), 450 * DAY_MS);
    assert.equal(parseSpan('15min', 'months'), 15 * 60_000);
    assert.equal(parseSpan('2mo', 'minutes'), 60 * DAY_MS);
  });

  it('is none where the number is missing, nothing, broken or too great, or the unit unknown', () => {
    for (const text of [
      '',
      'd',
      '0d',
      '-1d',
      '1.5d',
      '30',
      '30 days',
      '1e3d',
      ' 1d',
      '1d ',
      '1D',
      '999999999y',
    ])
      assert.equal(parseSpan(text, 'months'), null, text);
  });

  it('is shown in the largest unit that says it exactly', () => {
    assert.deepEqual([7 * 365 * DAY_MS, 90 * DAY_MS, 30 * HOUR_MS, 900_000, 1500].map(formatSpan), [
      ...['7y', '90d', '30h', '15min', '2s'],
    ]);
  });

  it('is read back as it is shown', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999 }), (seconds) => {
        assert.equal(parseSpan(formatSpan(seconds * 1000), 'months'), seconds * 1000);
      }),
    );
  });
});
