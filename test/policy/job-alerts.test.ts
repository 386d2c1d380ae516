import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JobState, RecordedRun } from '../../src/core/job.ts';
import { askedNotice, isNothingToTell, jobNotice } from '../../src/policy/job-alerts.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-11-29T00:00:00.000Z');

/** Runs in the order in which they ended, an hour from one to the next unless said otherwise. */
function recorded(states: readonly (JobState | 'died')[], stepMs = HOUR): RecordedRun[] {
  return states
    .map((state, i): RecordedRun => {
      const time = new Date(START + i * stepMs).toISOString();
      const run = { job: 'incremental' as const, wantedAt: time, attempt: 1 };
      const begin = { ...run, startedAt: time, daemon: 'd', software: 's', reason: 'due', missed: 0 };
      if (state === 'died') return { begin, end: null };
      const code = state === 'failed' ? 'store_unreachable' : null;
      return { begin, end: { ...run, endedAt: time, durationMs: 1, state, exitCode: 0, code, facts: {} } };
    })
    .toReversed();
}

describe('what is told of a job', () => {
  it('is nothing of one failure, and something of the second in a row', () => {
    assert.equal(jobNotice(recorded(['succeeded', 'failed']), DAY), null);
    assert.deepEqual(jobNotice(recorded(['succeeded', 'failed', 'failed']), DAY), {
      state: 'raised',
      since: '2026-11-29T01:00:00.000Z',
      failures: 2,
      code: 'store_unreachable',
      isTriedAgain: true,
    });
  });

  it('is each failure of what somebody asked for, once, and that it is over', () => {
    const failed = askedNotice(recorded(['succeeded', 'failed']));
    assert.deepEqual([failed?.state, failed?.failures, failed?.isTriedAgain], ['raised', 1, false]);
    assert.equal(askedNotice(recorded(['failed', 'failed', 'failed']))?.state, 'raised');
    assert.equal(askedNotice(recorded(['failed', 'succeeded']))?.state, 'resolved');
    assert.equal(askedNotice(recorded(['succeeded', 'interrupted'])), null);
    assert.equal(askedNotice([]), null);
  });

  it('is the end of what was told, and of nothing else', () => {
    assert.equal(jobNotice(recorded(['failed', 'succeeded']), DAY), null);
    const notice = jobNotice(recorded(['failed', 'failed', 'failed', 'succeeded']), DAY);
    assert.deepEqual([notice?.state, notice?.failures], ['resolved', 3]);
    assert.equal(jobNotice(recorded(['failed', 'failed', 'succeeded', 'succeeded']), DAY), null);
  });

  it('passes over runs that were interrupted, or died without a word', () => {
    assert.equal(jobNotice(recorded(['failed', 'interrupted', 'died', 'failed']), DAY)?.state, 'raised');
  });

  it('is repeated once in a while, whatever daemon looks', () => {
    const states = Array.from({ length: 100 }, () => 'failed' as const);
    const told = states.flatMap((_, i) => jobNotice(recorded(states.slice(0, i + 1)), DAY) ?? []);
    assert.deepEqual(
      told.map(({ state, failures }) => [state, failures]),
      [
        ['raised', 2],
        ['repeated', 26],
        ['repeated', 50],
        ['repeated', 74],
        ['repeated', 98],
      ],
    );
  });

  it('is not told once more when a daemon was stopped', () => {
    assert.equal(jobNotice(recorded(['failed', 'failed', 'interrupted']), DAY), null);
    assert.equal(jobNotice(recorded(['failed', 'failed', 'succeeded', 'interrupted']), DAY), null);
  });

  it('is repeated no sooner than that, though nothing ran for a while', () => {
    const runs = recorded(['failed', 'failed', ...Array.from({ length: 50 }, () => 'failed' as const)]);
    const late = runs.filter((_, i) => i < 3 || i > 28);
    assert.equal(jobNotice(late.slice(2), DAY)?.state, 'repeated');
    assert.equal(jobNotice(late.slice(1), DAY), null);
  });

  it('is repeated though it failed more often than there are records', () => {
    const all = recorded(Array.from({ length: 1000 }, () => 'failed' as const), HOUR / 10);
    const told = all.flatMap((_, i) => jobNotice(all.slice(i, i + 200), DAY, 200) ?? []);
    assert.deepEqual(told.map(({ state }) => state), ['repeated', 'repeated', 'repeated', 'repeated', 'raised']);
  });

  it('is known from two records where all is well', () => {
    assert.equal(isNothingToTell(recorded(['failed', 'succeeded', 'succeeded']).slice(0, 2)), true);
    for (const states of [
      ['failed', 'succeeded'],
      ['succeeded', 'failed'],
      ['died', 'succeeded'],
    ] as const)
      assert.equal(isNothingToTell(recorded(states)), false);
  });

  it('always raises before it resolves, and resolves what it raised', () => {
    const states = fc.array(
      fc.constantFrom<JobState | 'died'>('succeeded', 'failed', 'interrupted', 'died'),
      {
        maxLength: 60,
      },
    );
    fc.assert(
      fc.property(states, (all) => {
        let isOpen = false;
        for (let i = 1; i <= all.length; i += 1) {
          // Only the end of a run is a reason to look.
          if (all[i - 1] === 'died' || all[i - 1] === 'interrupted') continue;
          const runs = recorded(all.slice(0, i));
          const notice = jobNotice(runs, DAY);
          // The two newest say so, or all are read.
          if (isNothingToTell(runs.slice(0, 2))) assert.equal(notice, null);
          if (notice === null) continue;
          assert.equal(isOpen, notice.state !== 'raised');
          isOpen = notice.state !== 'resolved';
        }
        const last = all.findLast((state) => state === 'succeeded' || state === 'failed');
        if (last === 'succeeded') assert.equal(isOpen, false);
      }),
    );
  });
});
