import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  describeSchedule,
  readOperatorSchedule,
  runsADay,
} from '../../../src/kubernetes/check/operator-schedule.ts';

/** As the operator reads them, with robfig/cron 1.2.0. */
const MEANINGS: readonly (readonly [schedule: string, means: string])[] = [
  ['0 2 * * *', 'every hour at hh:02:00'],
  ['0 */6 * * *', 'every 6 minutes'],
  ['0 1 * * *', 'every hour at hh:01:00'],
  ['30 2 * * 1', 'every hour at hh:02:30, in Jan only'],
  ['0 0 2 * * *', 'every day at 02:00:00'],
  ['0 0 2 * * ?', 'every day at 02:00:00'],
  ['0 0 */6 * * *', 'every 6 hours at hh:00:00'],
  ['0 0 2,14 * * *', 'every day at 02:00:00 and 14:00:00'],
  ['0 30 3 * * sun', 'at 03:30:00, on Sun'],
  ['0 0 2 1 * *', 'at 02:00:00, on day 1 of the month'],
  ['0 0 2 1 * MON', 'at 02:00:00, on day 1 of the month or Mon'],
  ['0 0 2 * 1-3 *', 'at 02:00:00, in Jan, Feb, Mar only'],
  ['* * * * * *', 'every second'],
  ['*/10 * * * * *', 'every 10 seconds'],
  ['5 * * * * *', 'every minute at second 05'],
  ['0 5/20 * * * *', 'every 20 minutes'],
  ['0 1,2 3 * * *', '2 times a day'],
  ['* 0 2 * * *', '60 times a day'],
  ['@daily', 'every day at 00:00:00'],
  ['@weekly', 'at 00:00:00, on Sun'],
];

describe('a schedule of the operator', () => {
  for (const [text, means] of MEANINGS) {
    it(`${text} means ${means}`, () => {
      const schedule = readOperatorSchedule(text);
      assert.ok(typeof schedule === 'object' && schedule !== null, String(schedule));
      assert.equal(describeSchedule(schedule), means);
    });
  }

  it('is none with too few or too many fields, or what is out of bounds', () => {
    const wrong = [
      '',
      '* * * *',
      '* * * * * * *',
      '60 * * * * *',
      '0 0 24 * * *',
      '0 0 2 0 * *',
      '0 0 2 * 13 *',
    ];
    const others = [
      '0 0 2 * * 7',
      '0 0 5-2 * * *',
      '0 0 2 * * */0',
      '0 0 a * * *',
      '0 0 1-2-3 * * *',
      '@sometimes',
    ];
    for (const text of [...wrong, ...others]) assert.equal(typeof readOperatorSchedule(text), 'string', text);
  });

  it('may be a time since the last run, of which no time of the day is known', () => {
    assert.equal(readOperatorSchedule('@every 1h30m'), null);
    assert.equal(typeof readOperatorSchedule('@every now'), 'string');
  });

  it('with five fields is the same with the day of the week left open', () => {
    const field = fc.constantFrom('0', '*', '*/5', '1-3', '4,2');
    fc.assert(
      fc.property(
        fc.tuple(field, field, field, fc.constantFrom('*', '1', '1-3'), fc.constantFrom('*', '2')),
        (five) => {
          const [short, long] = [
            readOperatorSchedule(five.join(' ')),
            readOperatorSchedule([...five, '*'].join(' ')),
          ];
          assert.deepEqual({ ...(short as object), given: 6 }, long);
        },
      ),
    );
  });

  it('never runs more often than there are seconds in a day', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^([*0-9,/ -]{1,3} ){5}[*0-9]$/), (text) => {
        const schedule = readOperatorSchedule(text);
        if (typeof schedule !== 'object' || schedule === null) return;
        const runs = runsADay(schedule);
        assert.ok(runs >= 1 && runs <= 86_400, `${text}: ${runs}`);
        assert.notEqual(describeSchedule(schedule), '');
      }),
    );
  });
});
