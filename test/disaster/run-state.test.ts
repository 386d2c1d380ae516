import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type JournalEntry,
  RECOVERY_RISKS,
  RECOVERY_STEPS,
  type RecoveryRisk,
} from '../../src/core/disaster.ts';
import {
  acceptedFacts,
  isBegun,
  listFacts,
  readListFacts,
  readRunState,
} from '../../src/disaster/run-state.ts';

const PLAN = '00000000-0000-4000-8000-000000000000';

function journal(...entries: readonly Partial<JournalEntry>[]): JournalEntry[] {
  return entries.map((entry, i) => ({
    ...{ planId: PLAN, number: i + 1, epoch: 1, at: `2026-11-29T12:00:0${i}.000Z`, actor: 'somebody' },
    ...{ kind: 'intent' as const, step: null, text: '', facts: {}, previous: '' },
    ...entry,
  }));
}

describe('what a journal says of a run', () => {
  it('is nothing without entries', () => {
    const run = readRunState([]);
    assert.equal(run.approvedAt, null);
    assert.ok(RECOVERY_STEPS.every((step) => run.steps[step].state === 'none'));
  });

  it('of a step that was begun again is what was proven first', () => {
    const { steps } = readRunState(
      journal(
        { kind: 'approved' },
        { step: 'restore', facts: { to: 'a' } },
        { step: 'restore', kind: 'failed', text: 'no' },
        { step: 'restore', facts: { to: 'b' } },
      ),
    );
    const { state, intent, attempts, facts } = steps.restore;
    assert.deepEqual(
      { state, intent, attempts, facts },
      { state: 'intent', intent: { to: 'a' }, attempts: 2, facts: {} },
    );
  });

  it('of a step that was done and is done again keeps the facts until it is', () => {
    const entries = journal(
      { kind: 'approved' },
      { step: 'fence' },
      { step: 'fence', kind: 'done', facts: { 'server.1': 'a' } },
      { step: 'fence', facts: { new: true } },
    );
    const { state, facts, intent } = readRunState(entries).steps.fence;
    assert.deepEqual(
      { state, facts, intent },
      { state: 'intent', facts: { 'server.1': 'a' }, intent: { new: true } },
    );
  });

  it('ends with its end, until it is taken up', () => {
    assert.equal(readRunState(journal({ kind: 'approved' }, { kind: 'ended' })).end, 'ended');
    assert.equal(readRunState(journal({ kind: 'ended' }, { kind: 'resumed' })).end, null);
    assert.equal(readRunState(journal({ kind: 'abandoned' })).end, 'abandoned');
  });

  it('has what was accepted at the approval and later', () => {
    const risks = Object.keys(RECOVERY_RISKS) as RecoveryRisk[];
    fc.assert(
      fc.property(fc.subarray(risks), fc.subarray(risks), (first, later) => {
        const { accepted } = readRunState(
          journal(
            { kind: 'approved', facts: acceptedFacts(first) },
            { kind: 'done', step: 'scale', facts: acceptedFacts(risks) },
            { kind: 'resumed', facts: acceptedFacts(later) },
          ),
        );
        assert.deepEqual(
          accepted,
          new Set([...accepted].filter((risk) => [...first, ...later].includes(risk))),
        );
        assert.equal(accepted.size, new Set([...first, ...later]).size);
      }),
    );
  });

  it('of lists is what was put in', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (values) => {
        assert.deepEqual(readListFacts(listFacts('server', values), 'server'), values);
      }),
    );
  });

  it('counts a step as begun from its intent on, and when it was so already', () => {
    const { steps } = readRunState(
      journal({ step: 'promote' }, { step: 'scale', kind: 'done' }, { step: 'check', kind: 'failed' }),
    );
    assert.deepEqual(
      [isBegun(steps.promote), isBegun(steps.scale), isBegun(steps.check)],
      [true, true, false],
    );
  });
});
