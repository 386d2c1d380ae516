import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DISASTER_TRIGGERS,
  RECOVERY_STEPS,
  type RecoveryStep,
  STRATEGY_KINDS,
} from '../../src/core/disaster.ts';
import {
  FAILURES,
  MERGES_SALVAGED,
  STEP_MOVES,
  STRATEGY_STEPS,
  TRIGGER_STEPS,
} from '../../src/disaster/steps-table.ts';
import { NEEDS_INSTANT } from '../../src/disaster/strategy-table.ts';

const at = (step: RecoveryStep): number => RECOVERY_STEPS.indexOf(step);

describe('the steps of a strategy', () => {
  it('fence before anything takes over, check before anybody is let in, and bring events in one way', () => {
    for (const kind of STRATEGY_KINDS) {
      const does = (step: RecoveryStep): boolean => STRATEGY_STEPS[kind][step].does;
      for (const step of ['freeze', 'fence', 'check', 'probe', 'verify_public', 'reprotect'] as const)
        assert.ok(does(step), `${kind} ${step}`);
      assert.notEqual(does('promote'), does('restore'));
      assert.equal(does('promote'), does('choose'));
      assert.equal(does('rejoin'), does('promote'), 'only who has the same history can follow');
    }
    const order = ['freeze', 'fence', 'drain', 'choose', 'promote', 'check', 'probe', 'switch_name'] as const;
    for (const [i, step] of order.entries()) if (i > 0) assert.ok(at(order[i - 1]!) < at(step));
    assert.ok(at('restore') < at('check') && at('scale') < at('switch_name') && at('salvage') < at('rejoin'));
  });

  it('add nothing that was written after the instant that was gone back to, and do not end a freeze after a breach', () => {
    for (const trigger of DISASTER_TRIGGERS) assert.equal(MERGES_SALVAGED[trigger], !NEEDS_INSTANT[trigger]);
    assert.equal(TRIGGER_STEPS.security_breach.release!.does, false);
    for (const trigger of DISASTER_TRIGGERS) assert.equal(TRIGGER_STEPS[trigger].fence, undefined);
  });
});

describe('a step in the journal', () => {
  it('is never done twice when it holds, never passed over when it does not, and never done blindly', () => {
    for (const state of ['none', 'intent', 'failed'] as const) {
      assert.equal(STEP_MOVES[state].holds.move, 'record_done');
      assert.equal(STEP_MOVES[state].open.move, 'act');
    }
    assert.equal(STEP_MOVES.done.holds.move, 'next');
    for (const state of ['none', 'intent', 'failed', 'done'] as const)
      assert.equal(STEP_MOVES[state].unknown.move, 'fail');
  });
});

describe('a failure', () => {
  it('of all that comes before applications are let in stops the run, but for capacity and a log that is short', () => {
    for (const kind of STRATEGY_KINDS) {
      const goesOn = RECOVERY_STEPS.filter(
        (step) => at(step) <= at('verify_public') && !FAILURES[kind][step].stops,
      );
      const restores = STRATEGY_STEPS[kind].restore.does;
      assert.deepEqual(goesOn, restores ? ['drain', 'scale'] : ['scale']);
    }
  });

  it('of the salvage withholds the rejoin, which would erase what was to be found; of the new backup, the release', () => {
    for (const kind of STRATEGY_KINDS) {
      assert.deepEqual(FAILURES[kind].salvage.withholds, ['rejoin']);
      assert.deepEqual(FAILURES[kind].reprotect.withholds, ['release']);
      for (const step of RECOVERY_STEPS)
        for (const held of FAILURES[kind][step].withholds) assert.ok(at(held) > at(step));
    }
  });
});
