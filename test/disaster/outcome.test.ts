import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type JournalEntry, RECOVERY_STEPS, type RecoveryPlan } from '../../src/core/disaster.ts';
import { outcomeOf } from '../../src/disaster/outcome.ts';
import { renderTimeline } from '../../src/disaster/timeline.ts';
import { begin } from './drive.ts';
import { makePlan } from './plans.ts';
import { startProcess } from './process.ts';
import { makeWorld, WEST } from './world.ts';

const T0 = Date.UTC(2026, 10, 29, 12);

function entry(seconds: number, change: Partial<JournalEntry>): JournalEntry {
  return {
    ...{
      planId: '00000000-0000-4000-8000-000000000000',
      number: 1,
      epoch: 1,
      actor: 'somebody',
      previous: '',
    },
    ...{ at: new Date(T0 + 1000 * seconds).toISOString(), kind: 'done', step: null, text: '', facts: {} },
    ...change,
  };
}

async function somePlan(): Promise<RecoveryPlan> {
  return makePlan(makeWorld(), 'regional_failover');
}

describe('what came of a recovery', () => {
  it('took as long as until events came through the name, or could be written at all where there is none', async () => {
    const plan = await somePlan();
    const begun = [entry(0, { kind: 'approved' }), entry(5, { step: 'probe' })];
    assert.equal(outcomeOf(plan, begun).recoveryTimeMs, null);
    const skipped = [
      entry(6, { kind: 'skipped', step: 'switch_name' }),
      entry(6, { kind: 'skipped', step: 'verify_public' }),
    ];
    assert.equal(outcomeOf(plan, [...begun, ...skipped]).recoveryTimeMs, 5000);
    const named = [entry(8, { step: 'switch_name' }), entry(9, { step: 'verify_public' })];
    assert.equal(outcomeOf(plan, [...begun, ...named]).recoveryTimeMs, 9000);
  });

  it('has lost what was salvaged and not added, and never nothing because nobody counted', async () => {
    const plan = await somePlan();
    const begun = entry(0, { kind: 'approved' });
    const lossOf = (...entries: JournalEntry[]) => outcomeOf(plan, [begun, ...entries]).dataLoss;
    assert.equal(lossOf().exactEvents, null);
    assert.equal(
      lossOf(entry(1, { step: 'drain', facts: { isComplete: false } }), entry(2, { step: 'promote' }))
        .exactEvents,
      null,
    );
    assert.equal(lossOf(entry(1, { step: 'drain', facts: { isComplete: true } })).exactEvents, null);
    assert.equal(
      lossOf(entry(1, { step: 'drain', facts: { isComplete: true } }), entry(2, { step: 'promote' }))
        .exactEvents,
      0,
    );
    const salvage = entry(3, { step: 'salvage', facts: { events: 12, merged: 5, spanMs: 40 } });
    assert.deepEqual([lossOf(salvage).exactEvents, lossOf(salvage).exactMs], [7, 40]);
  });

  it('is stopped until it ended, and in part as long as a step has not worked', async () => {
    const plan = await somePlan();
    const failed = [
      entry(0, { kind: 'approved' }),
      entry(1, { kind: 'failed', step: 'scale', text: 'no room' }),
    ];
    assert.equal(outcomeOf(plan, failed).state, 'stopped');
    const ended = outcomeOf(plan, [...failed, entry(2, { kind: 'ended' })]);
    assert.equal(ended.state, 'in_part');
    assert.deepEqual(ended.reasons, [...plan.reasons, 'scale failed: no room']);
    assert.equal(outcomeOf(plan, [...failed, entry(2, { kind: 'abandoned' })]).state, 'abandoned');
  });
});

describe('the timeline of a recovery', () => {
  it('tells all that a post-mortem is written from', async () => {
    const world = makeWorld();
    const plan = await makePlan(world, 'switchover');
    const outcome = await begin(startProcess(world), plan);
    const text = renderTimeline(plan, outcome);
    for (const step of RECOVERY_STEPS) assert.match(text, new RegExp(`\\| ${step} \\|`));
    for (const words of [
      'switchover approved',
      `store ${WEST}`,
      '| events lost | 0, counted |',
      'somebody at a host',
    ])
      assert.ok(text.includes(words), words);
    assert.equal(text.split('\n').filter((line) => /^\| 2026/.test(line)).length, outcome.timeline.length);
  });

  it('is a table whatever a command said', async () => {
    const plan = await somePlan();
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, actor) => {
        const outcome = outcomeOf(plan, [entry(0, { kind: 'approved', text, actor })]);
        const [row, ...others] = renderTimeline(plan, outcome)
          .split('\n')
          .filter((line) => line.startsWith('| 2026'));
        assert.equal(others.length, 0);
        assert.equal(row!.replaceAll(/\\\\/g, '').replaceAll('\\|', '').split('|').length, 7);
      }),
    );
  });
});
