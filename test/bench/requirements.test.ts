import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allContenders } from '../../bench/contenders/all.ts';
import { judge, REQUIREMENTS, type Requirement } from '../../bench/requirements.ts';
import { outcome, result } from './sample-outcome.ts';

const requirement: Requirement = {
  ...{ row: 'backup', figure: 'wallSeconds', of: ['backup'], by: 'pg_dump -Fc', must: 0.28, aim: 0.2 },
};

describe('requirements', () => {
  it('name contenders that there are', () => {
    const known = allContenders('/nowhere').map(({ name }) => name);
    const named = REQUIREMENTS.flatMap(({ of, by }) => (by === null ? of : [...of, by]));
    assert.deepEqual(
      named.filter((name) => !known.includes(name)),
      [],
    );
  });

  it('are judged by the ratio: the aim, the must, or neither is reached', () => {
    const verdictAt = (must: number, aim: number) => judge({ ...requirement, must, aim }, [outcome()]);
    assert.deepEqual(verdictAt(0.28, 0.25).verdict, 'aim reached');
    assert.deepEqual(verdictAt(0.28, 0.24).verdict, 'reached');
    assert.deepEqual(verdictAt(0.24, 0.2).verdict, 'not reached');
    assert.equal(verdictAt(0.28, 0.2).value, 0.25);
  });

  it('want many events a second, and little of all else', () => {
    const rate: Requirement = {
      ...requirement,
      figure: 'eventsPerSecond',
      by: null,
      must: 150_000,
      aim: 250_000,
    };
    assert.equal(judge(rate, [outcome()]).value, 200_000);
    assert.equal(judge(rate, [outcome()]).verdict, 'reached');
    assert.equal(judge({ ...rate, must: 300_000 }, [outcome()]).verdict, 'not reached');
  });

  it('take the largest figure of several contenders, and nothing when one was not measured', () => {
    const memory: Requirement = { ...requirement, figure: 'peakMiB', of: ['backup', 'verify'], by: null };
    const results = [result('backup', 'ours', { peakMiB: 120 }), result('verify', 'ours', { peakMiB: 240 })];
    assert.equal(judge(memory, [outcome({ results })]).value, 240);
    assert.equal(judge(memory, [outcome({ results: results.slice(1) })]).verdict, 'not measured');
  });

  it('are judged by the largest size at which all that they need was measured', () => {
    const large = outcome({ events: 10_000_000, results: [result('backup', 'ours', { peakMiB: 90 })] });
    assert.equal(judge(requirement, [outcome(), large]).events, 1_000_000);
    const memory: Requirement = { ...requirement, figure: 'peakMiB', by: null, must: 300, aim: 100 };
    const finding = judge(memory, [outcome(), large]);
    assert.equal(finding.events, 10_000_000);
    assert.equal(finding.verdict, 'aim reached');
  });

  it('may be about one number of events, and are judged by no other', () => {
    const at: Requirement = { ...requirement, at: 1_000_000 };
    const large = outcome({ events: 10_000_000 });
    assert.equal(judge(requirement, [outcome(), large]).events, 10_000_000);
    assert.equal(judge(at, [outcome(), large]).events, 1_000_000);
    assert.equal(judge(at, [large]).verdict, 'not measured');
  });
});
