import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { greatestIntervalMs, isTimeZone, nextRunMs, whyNoSchedule } from '../../src/policy/schedule.ts';

const HOUR_MS = 3_600_000;
const NOVEMBER = Date.parse('2026-11-29T14:00:00Z');

function greatestHours(cron: string, timeZone: string): number {
  return greatestIntervalMs({ cron, timeZone }, NOVEMBER) / HOUR_MS;
}

/** Every run of a year, one after the other. */
function greatestByWalking(cron: string, timeZone: string): number {
  let greatest = 0;
  let run = nextRunMs({ cron, timeZone }, NOVEMBER);
  while (run < NOVEMBER + 366 * 24 * HOUR_MS) {
    const next = nextRunMs({ cron, timeZone }, run);
    greatest = Math.max(greatest, next - run);
    run = next;
  }
  return greatest / HOUR_MS;
}

describe('a schedule', () => {
  it('is due by the clock of its time zone', () => {
    const next = (timeZone: string) =>
      new Date(nextRunMs({ cron: '30 1 * * *', timeZone }, NOVEMBER)).toISOString();
    assert.equal(next('UTC'), '2026-11-30T01:30:00.000Z');
    assert.equal(next('Asia/Kolkata'), '2026-11-29T20:00:00.000Z');
  });

  it('at an hour that the clocks leave out is due as soon as it can be, and once where they say it twice', () => {
    const berlin = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' };
    const after = (time: string) => new Date(nextRunMs(berlin, Date.parse(time))).toISOString();
    assert.equal(after('2027-03-28T00:00:00Z'), '2027-03-28T01:00:00.000Z');
    assert.equal(after('2027-10-31T00:00:00Z'), '2027-10-31T00:30:00.000Z');
    assert.equal(after('2027-10-31T00:30:00Z'), '2027-11-01T01:30:00.000Z');
  });

  const intervals: [string, string, number][] = [
    ['0 */6 * * *', 'UTC', 6],
    ['0 */6 * * *', 'America/New_York', 7],
    ['0 1 * * *', 'Europe/Berlin', 25],
    ['*/5 * * * *', 'Europe/Berlin', 1 / 12],
    ['0 0 1 * *', 'UTC', 31 * 24],
    ['0 0 29 2 *', 'UTC', 1461 * 24],
    // Clocks are set back on a Sunday, and these skip from Friday to Monday.
    ['0 9-17 * * 1-5', 'Europe/Berlin', 65],
    // From two in the afternoon, since nothing is due at the hour that is left out.
    ['0 2-23/12 * * *', 'Europe/Berlin', 23],
  ];
  for (const [cron, timeZone, hours] of intervals) {
    it(`of "${cron}" in ${timeZone} leaves at most ${Number(hours.toFixed(2))} h between two runs`, () => {
      assert.equal(greatestHours(cron, timeZone), hours);
    });
  }

  it('has the interval that a walk over all of its runs finds', () => {
    for (const cron of ['15 3 * * *', '0 1,13 * * *', '0 4 * * 1,4', '0 0 15 * 5', '0 5-9 * 1-3 *'])
      for (const timeZone of ['UTC', 'America/New_York', 'Australia/Lord_Howe'])
        assert.equal(greatestHours(cron, timeZone), greatestByWalking(cron, timeZone), `${cron} ${timeZone}`);
  });

  it('of minutes takes no longer to look at than one of days', () => {
    const began = performance.now();
    assert.equal(greatestHours('*/5 9-17 * * 1-5', 'Europe/Berlin').toFixed(2), '64.08');
    assert.ok(performance.now() - began < 2000);
  });

  it('that is none is told from one, with the way out', () => {
    assert.equal(whyNoSchedule('0 */6 * * *'), null);
    assert.equal(whyNoSchedule(' 0 1 * * MON-FRI '), null);
    assert.match(whyNoSchedule('0 25 * * *')!.reason, /Invalid value for hour: 25$/);
    assert.match(whyNoSchedule('0 0 30 2 *')!.reason, /never due/);
    assert.match(whyNoSchedule('@daily')!.reason, /does not have the five fields/);
    const six = whyNoSchedule('0 0 2 * * *')!;
    assert.match(six.reason, /has six fields/);
    assert.match(six.hint, /without seconds.*CloudNativePG.*"0 2 \* \* \*"$/);
  });

  it('knows the time zones of IANA', () => {
    assert.deepEqual(['UTC', 'Europe/Berlin', 'Mars/Olympus', ''].map(isTimeZone), [
      true,
      true,
      false,
      false,
    ]);
  });
});
