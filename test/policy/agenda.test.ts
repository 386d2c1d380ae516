import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type AgendaJob, decideJob, type JobFacts, type LastRun } from '../../src/policy/agenda.ts';
import { nextRunMs } from '../../src/policy/schedule.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOON = Date.parse('2026-11-29T12:00:00Z');

function hourly(windowMs = 0, key = 'shop backup'): AgendaJob {
  return {
    name: 'backup',
    timing: { kind: 'schedule', schedule: { cron: '0 * * * *', timeZone: 'UTC' } },
    spread: { key, windowMs, rpoMs: null },
  };
}

function factsOf(last: Partial<LastRun> | null, job: AgendaJob = hourly()): JobFacts {
  const whole = {
    wantedAtMs: NOON,
    startedAtMs: NOON,
    endedAtMs: NOON + MINUTE,
    succeeded: true,
    attempt: 1,
  };
  return {
    job,
    last: last === null ? null : { ...whole, ...last },
    isHeld: false,
    askedBy: null,
    waitsFor: null,
  };
}

describe('the agenda', () => {
  it('runs a job at its time, and for that time once', () => {
    const before = decideJob(factsOf({}), NOON + HOUR - 1);
    assert.deepEqual(before, { action: 'wait', untilMs: NOON + HOUR, reason: 'it is not due' });
    const due = decideJob(factsOf({}), NOON + HOUR);
    assert.deepEqual(due, {
      action: 'run',
      wantedAtMs: NOON + HOUR,
      attempt: 1,
      missed: 0,
      cause: 'due',
      reason: 'it is due',
    });
    const done = decideJob(
      factsOf({ wantedAtMs: NOON + HOUR, endedAtMs: NOON + HOUR + 5 }),
      NOON + HOUR + 10,
    );
    assert.equal(done.action, 'wait');
  });

  it('catches up once for all times that were missed, and says how many those were', () => {
    const decision = decideJob(factsOf({}), NOON + 5 * HOUR + 10 * MINUTE);
    assert.ok(decision.action === 'run');
    assert.deepEqual([decision.wantedAtMs, decision.missed], [NOON + 5 * HOUR, 4]);
  });

  it('runs at once what never ran', () => {
    const wanted = {
      action: 'run',
      wantedAtMs: NOON + 7,
      attempt: 1,
      missed: 0,
      cause: 'first',
      reason: 'it never ran',
    };
    assert.deepEqual(decideJob(factsOf(null), NOON + 7), wanted);
  });

  it('does not run what runs already, here or elsewhere', () => {
    const decision = decideJob({ ...factsOf({}), isHeld: true }, NOON + 3 * HOUR);
    assert.equal(decision.action, 'wait');
  });

  it('takes up at once what died without a word, for the time that it was wanted for', () => {
    const decision = decideJob(factsOf({ endedAtMs: null, succeeded: false }), NOON + 2 * MINUTE);
    assert.ok(decision.action === 'run');
    assert.deepEqual([decision.wantedAtMs, decision.attempt], [NOON, 2]);
  });

  it('tries again what failed, later each time, until the next time comes', () => {
    const endedAtMs = NOON + MINUTE;
    const at = (attempt: number, nowMs: number) =>
      decideJob(factsOf({ succeeded: false, attempt, endedAtMs }), nowMs);
    assert.equal(at(1, endedAtMs + MINUTE - 1).action, 'wait');
    assert.deepEqual(at(1, endedAtMs + MINUTE), {
      action: 'run',
      wantedAtMs: NOON,
      attempt: 2,
      missed: 0,
      cause: 'retry',
      reason: 'it failed once',
    });
    assert.equal(at(3, endedAtMs + 4 * MINUTE - 1).action, 'wait');
    assert.equal(at(3, endedAtMs + 4 * MINUTE).action, 'run');
    const late = decideJob(
      factsOf({ succeeded: false, attempt: 9, endedAtMs: NOON + 50 * MINUTE }),
      NOON + 55 * MINUTE,
    );
    assert.deepEqual([late.action, late.action === 'wait' && late.untilMs], ['wait', NOON + HOUR]);
  });

  it('runs for the first time behind the job that comes first, and waits for nobody from then on', () => {
    for (const askedBy of [null, 'anna']) {
      const first = decideJob({ ...factsOf(null), askedBy, waitsFor: 'full' }, NOON);
      assert.ok(first.action === 'wait' && first.untilMs !== null && first.untilMs <= NOON + MINUTE);
      assert.match(first.reason, /the first run of full comes before it/);
    }
    const later = { ...factsOf({ wantedAtMs: NOON - HOUR }), waitsFor: 'full' };
    assert.equal(decideJob(later, NOON).action, 'run');
  });

  it('does not run twice for one time though the clock is set back', () => {
    const decision = decideJob(factsOf({ wantedAtMs: NOON }), NOON - 10 * MINUTE);
    assert.equal(decision.action, 'wait');
  });

  it('waits for no end that is still to come by a clock that was set back', () => {
    const failed = { wantedAtMs: NOON - HOUR, endedAtMs: NOON + 5 * HOUR, succeeded: false };
    assert.equal(decideJob(factsOf(failed), NOON - MINUTE).action, 'run');
    const always = { ...hourly(), timing: { kind: 'always' as const } };
    assert.equal(decideJob(factsOf({ endedAtMs: NOON + 5 * HOUR }, always), NOON - MINUTE).action, 'run');
  });

  it('does not believe a record from hours ahead: a clock was wrong once', () => {
    assert.equal(decideJob(factsOf({ wantedAtMs: NOON + 5 * HOUR }), NOON).action, 'run');
  });

  it('puts runs off by the same part of the jitter in each daemon, by another for each store', () => {
    const first = decideJob(factsOf({}, hourly(10 * MINUTE)), NOON + 2 * MINUTE);
    const again = decideJob(factsOf({}, hourly(10 * MINUTE)), NOON + 3 * MINUTE);
    const other = decideJob(factsOf({}, hourly(10 * MINUTE, 'orders backup')), NOON + 2 * MINUTE);
    assert.ok(first.action === 'wait' && again.action === 'wait' && other.action === 'wait');
    assert.equal(first.untilMs, again.untilMs);
    assert.notEqual(first.untilMs, other.untilMs);
    for (const { untilMs } of [first, other])
      assert.ok(untilMs !== null && untilMs >= NOON + HOUR && untilMs < NOON + 70 * MINUTE);
  });

  it('begins again what is always to run, later each time that it fails', () => {
    const job: AgendaJob = {
      name: 'archive',
      timing: { kind: 'always' },
      spread: { key: 'x', windowMs: 0, rpoMs: null },
    };
    assert.equal(decideJob(factsOf(null, job), NOON).action, 'run');
    const ended = { endedAtMs: NOON, succeeded: false };
    assert.equal(decideJob(factsOf({ ...ended, attempt: 1 }, job), NOON + 999).action, 'wait');
    assert.equal(decideJob(factsOf({ ...ended, attempt: 1 }, job), NOON + 1000).action, 'run');
    assert.equal(decideJob(factsOf({ ...ended, attempt: 20 }, job), NOON + 59_999).action, 'wait');
    assert.equal(decideJob(factsOf({ ...ended, attempt: 20 }, job), NOON + 60_000).action, 'run');
  });

  it('begins again at once what failed after it had run for a while', () => {
    const job: AgendaJob = {
      name: 'archive',
      timing: { kind: 'always' },
      spread: { key: 'x', windowMs: 0, rpoMs: null },
    };
    const last = { wantedAtMs: NOON - HOUR, endedAtMs: NOON, succeeded: false, attempt: 20 };
    const decision = decideJob(factsOf(last, job), NOON + 1000);
    assert.equal(decision.action === 'run' && decision.attempt, 1);
  });

  it('goes on with what fails for weeks, under names that its records can have', () => {
    const job: AgendaJob = {
      name: 'archive',
      timing: { kind: 'always' },
      spread: { key: 'x', windowMs: 0, rpoMs: null },
    };
    const decision = decideJob(
      factsOf({ endedAtMs: NOON, succeeded: false, attempt: 9999 }, job),
      NOON + HOUR,
    );
    assert.deepEqual(decision.action === 'run' && [decision.attempt, decision.wantedAtMs], [
      9999,
      NOON + HOUR,
    ]);
  });

  it('runs at intervals from when it was wanted, and does not gather what it missed', () => {
    const job: AgendaJob = {
      name: 'sample',
      timing: { kind: 'interval', everyMs: 5000 },
      spread: { key: 'x', windowMs: 0, rpoMs: null },
    };
    assert.equal(decideJob(factsOf({ endedAtMs: NOON + 1 }, job), NOON + 4999).action, 'wait');
    const decision = decideJob(factsOf({ endedAtMs: NOON + 1 }, job), NOON + 17_000);
    assert.ok(decision.action === 'run');
    assert.deepEqual([decision.wantedAtMs, decision.missed], [NOON + 15_000, 2]);
  });

  const asked: AgendaJob = {
    name: 'drill',
    timing: { kind: 'asked' },
    spread: { key: 'x', windowMs: 0, rpoMs: null },
  };

  it('leaves alone what is on no schedule: never run, ended well, or failed', () => {
    const rest = { action: 'wait', untilMs: null, reason: 'it runs when it is asked for' };
    assert.deepEqual(decideJob(factsOf(null, asked), NOON), rest);
    for (const succeeded of [true, false])
      assert.deepEqual(decideJob(factsOf({ succeeded }, asked), NOON + 400 * HOUR), rest);
  });

  it('runs what is asked for at once, whatever its schedule, and says who asked', () => {
    const reason = 'asked for by anna';
    for (const job of [asked, hourly(10 * MINUTE)]) {
      const decision = decideJob({ ...factsOf({}, job), askedBy: 'anna' }, NOON + 2 * MINUTE);
      const wantedAtMs = NOON + 2 * MINUTE;
      assert.deepEqual(decision, {
        action: 'run',
        wantedAtMs,
        attempt: 1,
        missed: 0,
        cause: 'asked',
        reason,
      });
    }
    const first = decideJob({ ...factsOf(null, asked), askedBy: 'anna' }, NOON);
    assert.equal(first.action === 'run' && first.reason, reason);
    assert.equal(decideJob({ ...factsOf({}, asked), askedBy: 'anna', isHeld: true }, NOON).action, 'wait');
  });

  it('puts what is asked for behind all that it was run for, though the clock was set back', () => {
    const decision = decideJob({ ...factsOf({}, hourly()), askedBy: 'anna' }, NOON - 10 * MINUTE);
    assert.equal(decision.action === 'run' && decision.wantedAtMs, NOON + 1);
  });

  it('takes up what was asked for and died as any run, and does so once for who asks again', () => {
    const died = factsOf({ endedAtMs: null, succeeded: false }, asked);
    const decision = decideJob({ ...died, askedBy: 'anna' }, NOON + HOUR);
    assert.ok(decision.action === 'run');
    assert.deepEqual([decision.wantedAtMs, decision.attempt], [NOON, 2]);
    assert.match(decision.reason, /asked for by anna.*died/);
    assert.equal(decideJob(died, NOON + HOUR).action, 'run');
  });

  it('goes on with what dies for weeks, under names that its records can have', () => {
    const died = factsOf({ endedAtMs: null, succeeded: false, attempt: 9999 });
    const decision = decideJob(died, NOON + HOUR);
    assert.deepEqual(decision.action === 'run' && [decision.attempt, decision.wantedAtMs], [1, NOON + HOUR]);
  });

  it('runs once for every time of any schedule, clocks set forward and back included, whenever it looks', () => {
    const crons = fc.constantFrom(
      '*/15 * * * *',
      '0 2 * * *',
      '30 2 * * *',
      '0 */6 * * *',
      '30 1 * * 0',
      '0 0 1 * *',
    );
    const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe');
    fc.assert(
      fc.property(crons, zones, fc.integer({ min: 4, max: 9 }), (cron, timeZone, stepMinutes) => {
        const schedule = { cron, timeZone };
        const spread = { key: 'x', windowMs: 5 * MINUTE, rpoMs: null };
        const job: AgendaJob = { name: 'x', timing: { kind: 'schedule', schedule }, spread };
        const fromMs = Date.parse('2026-10-24T00:00:00Z');
        const untilMs = fromMs + 6 * 24 * HOUR;
        const wanted: number[] = [];
        let last: LastRun = {
          wantedAtMs: fromMs,
          startedAtMs: fromMs,
          endedAtMs: fromMs,
          succeeded: true,
          attempt: 1,
        };
        for (let nowMs = fromMs; nowMs <= untilMs; nowMs += stepMinutes * MINUTE) {
          const decision = decideJob({ job, last, isHeld: false, askedBy: null, waitsFor: null }, nowMs);
          if (decision.action === 'wait') continue;
          assert.equal(decision.missed, 0);
          wanted.push(decision.wantedAtMs);
          last = {
            wantedAtMs: decision.wantedAtMs,
            startedAtMs: nowMs,
            endedAtMs: nowMs,
            succeeded: true,
            attempt: 1,
          };
        }
        const all: number[] = [];
        for (let at = nextRunMs(schedule, fromMs); at < untilMs - HOUR; at = nextRunMs(schedule, at))
          all.push(at);
        assert.deepEqual(wanted.slice(0, all.length), all);
      }),
      { numRuns: 5 },
    );
  });
});
