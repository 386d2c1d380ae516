import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeCalendar, type Period } from '../../src/policy/calendar.ts';
import { keepByRule } from '../../src/policy/retention-rules.ts';

const HOUR = 3_600_000;

/** An instant, a time zone, and the period that it lies in there. */
const TABLE: readonly (readonly [string, string, Period, string])[] = [
  // Clocks in Berlin were set back on 25 October 2026: that day had 25 hours.
  ['2026-10-24T21:59:59Z', 'Europe/Berlin', 'day', '2026-10-24'],
  ['2026-10-24T22:00:00Z', 'Europe/Berlin', 'day', '2026-10-25'],
  ['2026-10-25T22:59:59Z', 'Europe/Berlin', 'day', '2026-10-25'],
  ['2026-10-25T23:00:00Z', 'Europe/Berlin', 'day', '2026-10-26'],
  // And forward on 29 March: 23 hours.
  ['2026-03-28T23:00:00Z', 'Europe/Berlin', 'day', '2026-03-29'],
  ['2026-03-29T21:59:59Z', 'Europe/Berlin', 'day', '2026-03-29'],
  ['2026-03-29T22:00:00Z', 'Europe/Berlin', 'day', '2026-03-30'],
  // In Havana the hour from midnight on comes twice, and in Apia a day never was.
  ['2026-11-01T04:30:00Z', 'America/Havana', 'day', '2026-11-01'],
  ['2026-11-01T05:30:00Z', 'America/Havana', 'day', '2026-11-01'],
  ['2011-12-30T09:59:59Z', 'Pacific/Apia', 'day', '2011-12-29'],
  ['2011-12-30T10:00:00Z', 'Pacific/Apia', 'day', '2011-12-31'],
  // Weeks begin on Monday, and belong to the year of their Thursday.
  ['2020-12-31T12:00:00Z', 'UTC', 'week', '2020-W53'],
  ['2021-01-03T23:59:59Z', 'UTC', 'week', '2020-W53'],
  ['2021-01-04T00:00:00Z', 'UTC', 'week', '2021-W01'],
  ['2024-12-30T00:00:00Z', 'UTC', 'week', '2025-W01'],
  ['2026-12-31T00:00:00Z', 'UTC', 'week', '2026-W53'],
  ['2027-01-01T00:00:00Z', 'UTC', 'week', '2026-W53'],
  ['2005-01-01T00:00:00Z', 'UTC', 'week', '2004-W53'],
  ['2026-10-25T22:59:59Z', 'Europe/Berlin', 'week', '2026-W43'],
  ['2026-10-25T23:00:00Z', 'Europe/Berlin', 'week', '2026-W44'],
  // Months and years are those of the place too.
  ['2026-12-31T23:00:00Z', 'Europe/Berlin', 'month', '2027-01'],
  ['2026-12-31T23:00:00Z', 'Europe/Berlin', 'year', '2027'],
  ['2026-12-31T23:00:00Z', 'UTC', 'year', '2026'],
  ['2027-01-01T04:59:59Z', 'America/New_York', 'month', '2026-12'],
];

describe('the calendar of a time zone', () => {
  for (const [time, zone, period, name] of TABLE) {
    it(`has ${time} in ${period} ${name} of ${zone}`, () => {
      assert.equal(makeCalendar(zone)(Date.parse(time), period), name);
    });
  }

  it('keeps one backup of each day around a change of clocks, the newest', () => {
    const points = Array.from({ length: 80 }, (_, i) => {
      const createdAtMs = Date.parse('2026-10-26T22:30:00Z') - i * HOUR;
      return { backupId: new Date(createdAtMs).toISOString(), createdAtMs };
    });
    const kept: string[] = [];
    keepByRule(points, { daily: 3, timeZone: 'Europe/Berlin' }, 0, (id, reason) =>
      kept.push(`${id.slice(0, 16)} ${reason}`),
    );
    assert.deepEqual(kept, [
      '2026-10-26T22:30 newest of day 2026-10-26',
      '2026-10-25T22:30 newest of day 2026-10-25',
      '2026-10-24T21:30 newest of day 2026-10-24',
    ]);
  });

  it('knows no zone that is none', () => {
    assert.throws(() => makeCalendar('Europe/Atlantis'), RangeError);
  });
});
