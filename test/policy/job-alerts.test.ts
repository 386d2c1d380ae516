import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JobState, RecordedRun } from '../../src/core/job.ts';
import { judgeJob } from '../../src/policy/job-alerts.ts';

const HOUR = 3_600_000;
const START = Date.parse('2026-11-29T00:00:00.000Z');

/** Runs in the order in which they ended, an hour from one to the next. */
function recorded(...states: readonly (JobState | 'died')[]): RecordedRun[] {
  return states
    .map((state, i): RecordedRun => {
      const time = new Date(START + i * HOUR).toISOString();
      const run = { job: 'incremental' as const, wantedAt: time, attempt: 1 };
      const begin = { ...run, startedAt: time, daemon: 'd', software: 's', reason: 'due', missed: 0 };
      if (state === 'died') return { begin, end: null };
      const code = state === 'failed' ? 'store_unreachable' : null;
      return { begin, end: { ...run, endedAt: time, durationMs: 1, state, exitCode: 0, code, facts: {} } };
    })
    .toReversed();
}

describe('how a job goes', () => {
  it('is not known where it never ran, and after one failure, which may pass', () => {
    for (const runs of [[], recorded('died'), recorded('failed'), recorded('succeeded', 'failed')])
      assert.deepEqual(judgeJob(runs), { state: 'unknown' });
  });

  it('is said of the failures in a row, from the second on', () => {
    assert.deepEqual(judgeJob(recorded('succeeded', 'failed', 'failed')), {
      ...{ state: 'failing', since: '2026-11-29T01:00:00.000Z', failures: 2, code: 'store_unreachable' },
    });
    const all = judgeJob(recorded('failed', 'succeeded', 'failed', 'failed', 'failed'));
    assert.equal(all.state === 'failing' && all.failures, 3);
  });

  it('passes over runs that were interrupted, or died without a word', () => {
    assert.equal(
      judgeJob(recorded('failed', 'interrupted', 'died', 'failed', 'interrupted')).state,
      'failing',
    );
    assert.deepEqual(judgeJob(recorded('failed', 'failed', 'succeeded', 'died')), { state: 'well' });
  });

  it('is said of the first failure where nothing tries it again', () => {
    assert.equal(judgeJob(recorded('succeeded', 'failed'), 1).state, 'failing');
    assert.equal(judgeJob(recorded('succeeded'), 1).state, 'well');
    assert.equal(judgeJob([], 1).state, 'unknown');
  });
});
