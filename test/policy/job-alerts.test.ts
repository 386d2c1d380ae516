import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JobName, JobState, RecordedRun } from '../../src/core/job.ts';
import { judgeJob } from '../../src/policy/job-alerts.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;
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

/** The newest first, each with how long it went on, in minutes. */
function endless(...runs: readonly (readonly [state: JobState | 'died', minutes: number])[]): RecordedRun[] {
  return runs.map(([state, minutes]) => {
    const [run] = recorded(state) as [RecordedRun];
    const end = run.end === null ? null : { ...run.end, durationMs: minutes * MINUTE };
    return renamed('archive')({ ...run, end });
  });
}

function renamed(job: JobName): (run: RecordedRun) => RecordedRun {
  return ({ begin, end }) => ({ begin: { ...begin, job }, end: end === null ? null : { ...end, job } });
}

function judge(runs: readonly RecordedRun[], countsFrom?: number) {
  return judgeJob(runs, START + 100 * HOUR, countsFrom);
}

describe('how a job goes', () => {
  it('is not known where it never ran, and after one failure, which may pass', () => {
    for (const runs of [[], recorded('died'), recorded('failed'), recorded('succeeded', 'failed')])
      assert.deepEqual(judge(runs), { state: 'unknown' });
  });

  it('is said of the failures in a row, from the second on', () => {
    assert.deepEqual(judge(recorded('succeeded', 'failed', 'failed')), {
      ...{ state: 'failing', since: '2026-11-29T01:00:00.000Z', failures: 2, code: 'store_unreachable' },
    });
    const all = judge(recorded('failed', 'succeeded', 'failed', 'failed', 'failed'));
    assert.equal(all.state === 'failing' && all.failures, 3);
  });

  it('passes over runs that were interrupted, or died without a word', () => {
    assert.equal(judge(recorded('failed', 'interrupted', 'died', 'failed', 'interrupted')).state, 'failing');
    assert.deepEqual(judge(recorded('failed', 'failed', 'succeeded', 'died')), { state: 'well' });
  });

  it('is well of what never ends well once it runs for a while, and not when it only began', () => {
    const failed = endless(['failed', 0.1], ['failed', 0.1]);
    const [running] = endless(['died', 0]);
    assert.equal(judgeJob([running!, ...failed], START + 9 * MINUTE).state, 'failing');
    assert.deepEqual(judgeJob([running!, ...failed], START + 10 * MINUTE), { state: 'well' });
    // Another one has begun since: that one died.
    assert.equal(judgeJob([...failed, running!], START + 20 * MINUTE).state, 'failing');
  });

  it('says nothing bad of what never ends well and went on for a while each time', () => {
    const day = 24 * 60;
    assert.equal(judge(endless(['failed', day], ['failed', day])).state, 'unknown');
    assert.deepEqual(judge(endless(['interrupted', day], ['failed', 0.1], ['failed', 0.1])), {
      state: 'well',
    });
    const all = judge(endless(['failed', 0.1], ['failed', 9], ['failed', day], ['failed', 0.1]));
    assert.equal(all.state === 'failing' && all.failures, 3);
    assert.equal(judge(endless(['failed', day], ['failed', day]), 1).state, 'failing');
    // What ends by itself and fails after a day has failed.
    assert.equal(judge(endless(['failed', day], ['failed', day]).map(renamed('verify'))).state, 'failing');
  });

  it('is said of the first failure where nothing tries it again', () => {
    assert.equal(judge(recorded('succeeded', 'failed'), 1).state, 'failing');
    assert.equal(judge(recorded('succeeded'), 1).state, 'well');
    assert.equal(judge([], 1).state, 'unknown');
  });
});
