import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  formatTime,
  parseTime,
  TIME_INFINITY,
  TIME_MINUS_INFINITY,
  timeFromUnixMs,
  timeToUnixMs,
} from '../../src/core/time.ts';

/** PostgreSQL's own limits of timestamptz, in microseconds since 2000. */
const POSTGRES_FIRST = -211_813_488_000_000_000n;
const POSTGRES_LAST = 9_223_371_331_199_999_999n;

describe('times', () => {
  it('agree with Date to the millisecond, before 1970 too', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true, min: new Date(-62_135_596_800_000) }), (date) => {
        const year = date.getUTCFullYear();
        fc.pre(year >= 0 && year <= 9999);
        assert.equal(formatTime(timeFromUnixMs(date.getTime()), 3), date.toISOString());
        assert.equal(parseTime(date.toISOString()), timeFromUnixMs(date.getTime()));
        assert.equal(timeToUnixMs(timeFromUnixMs(date.getTime())), date.getTime());
      }),
    );
  });

  it('come back from their text over the whole range of PostgreSQL', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: POSTGRES_FIRST, max: POSTGRES_LAST }), (time) => {
        assert.equal(parseTime(formatTime(time)), time);
      }),
      { numRuns: 2000 },
    );
  });

  it('write known instants as everybody does', () => {
    assert.equal(formatTime(0n), '2000-01-01T00:00:00.000000Z');
    assert.equal(formatTime(-1n), '1999-12-31T23:59:59.999999Z');
    assert.equal(formatTime(POSTGRES_LAST), '+294276-12-31T23:59:59.999999Z');
    assert.equal(formatTime(POSTGRES_FIRST), '-004713-11-24T00:00:00.000000Z');
    assert.equal(formatTime(TIME_INFINITY), 'infinity');
    assert.equal(parseTime('-infinity'), TIME_MINUS_INFINITY);
  });

  it('are read with a space, an offset, no zone or few digits', () => {
    const noon = parseTime('2026-11-23T12:00:00Z');
    assert.equal(parseTime('2026-11-23 12:00:00'), noon);
    assert.equal(parseTime('2026-11-23T14:30:00+02:30'), noon);
    assert.equal(parseTime('2026-11-23T04:00:00.000-0800'), noon);
    assert.equal(parseTime('2026-11-23T12:00:00.1Z'), noon! + 100_000n);
  });

  it('are null for what is no time', () => {
    for (const text of [
      '',
      'now',
      '2026-02-29T00:00:00Z',
      '2026-13-01T00:00:00Z',
      '2026-11-23T24:00:00Z',
      '2026-11-23',
    ]) {
      assert.equal(parseTime(text), null, text);
    }
  });
});
