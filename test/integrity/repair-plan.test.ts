import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { type Finding, REPAIR_KINDS, type RepairKind } from '../../src/core/finding.ts';
import type { StreamFacts } from '../../src/integrity/repair/facts.ts';
import { decideRepair, EVENT_KINDS, isEventStep, type PlanInput } from '../../src/integrity/repair/plan.ts';

const SOUND: StreamFacts = {
  ...{ streamId: 's', held: 9, changed: [], copied: [], absent: [], diverged: [], doubled: [], onlyLive: 0 },
  isUnreadable: false,
};

function finding(repair: RepairKind | null, more: Partial<Finding> = {}): Finding {
  return {
    ...{ check: 'made_up', rung: 'streams', severity: 'damage', streamId: 's', version: null, eventId: null },
    ...{ object: null, events: 1, place: null, message: 'it is damaged', repair, ...more },
  };
}

function decide(input: Partial<PlanInput>) {
  return decideRepair({
    ...{ store: 'memory:', backupId: 'b', found: [], facts: [], allowed: 'all', withoutIndexes: false },
    ...{ notCompared: null, unfinished: [], ...input },
  });
}

const found = (...findings: Finding[]) => findings.map((one) => ({ finding: one, statements: [] }));
const reasons = ({ refusals }: ReturnType<typeof decide>) => refusals.map(({ code }) => code);

it('without a backup nothing about events is repaired, and the reason is said', () => {
  const plan = decide({ backupId: null, found: found(finding('reinstate_events')) });
  assert.deepEqual([plan.steps, reasons(plan)], [[], ['not_backed_up']]);
});

it('what a person has to decide is passed on as the check says it', () => {
  const plan = decide({ found: found(finding(null, { message: 'two orders, one payment' })) });
  assert.deepEqual(
    plan.refusals.map(({ code, reason }) => [code, reason]),
    [['undecided', 'two orders, one payment']],
  );
});

it('what is not there any more, is nowhere backed up, or is double in the backup too is told apart', () => {
  const of = (facts: Partial<StreamFacts>, version: string | null = null) =>
    reasons(
      decide({ found: found(finding('put_back_events', { version })), facts: [{ ...SOUND, ...facts }] }),
    );
  assert.deepEqual(of({}), ['not_found_again']);
  assert.deepEqual(of({ held: 0, onlyLive: 3 }), ['not_backed_up']);
  assert.deepEqual(of({ onlyLive: 3 }), ['not_backed_up']);
  assert.deepEqual(of({ doubled: [4] }, '4'), ['undecided']);
  assert.deepEqual(of({ changed: [4] }, '4'), []);
});

it('what could not be compared is refused with the reason, and nothing else is', () => {
  const statement = { sql: 'SELECT 1', reason: 'to test it', before: null };
  const plan = decide({
    notCompared: 'the key is missing',
    found: [
      ...found(finding('reinstate_events')),
      { finding: finding('restore_guards', { streamId: null }), statements: [statement] },
    ],
  });
  assert.deepEqual(
    [plan.steps.map(({ kind }) => kind), reasons(plan)],
    [['restore_guards'], ['not_compared']],
  );
});

it('nothing is added through an index that is damaged and may not be rebuilt; where it may, that comes first', () => {
  const statement = { sql: 'REINDEX …', reason: 'to test it', before: null };
  const index = {
    finding: finding('rebuild_index', { streamId: null, object: 'an_index' }),
    statements: [statement],
  };
  const input = { found: [index], facts: [{ ...SOUND, absent: [3] }], withoutIndexes: true };
  const blind = decide({ ...input, allowed: ['reinstate_events'] });
  assert.deepEqual([blind.steps, reasons(blind)], [[], ['not_allowed', 'not_allowed']]);
  assert.deepEqual(
    decide(input).steps.map(({ kind }) => kind),
    ['rebuild_index', 'reinstate_events'],
  );
});

it('a check that has no statement for it is named', () => {
  const plan = decide({ found: found(finding('restore_guards', { streamId: null, object: 'a_trigger' })) });
  assert.deepEqual(
    plan.refusals.map(({ code, object }) => [code, object]),
    [['no_statement', 'a_trigger']],
  );
});

it('an event that is changed and has copies is left alone where copies may not be removed', () => {
  const facts = [{ ...SOUND, changed: [2, 3], copied: [3] }];
  const plan = decide({ facts, allowed: ['put_back_events'] });
  assert.deepEqual(
    plan.steps.map((step) => isEventStep(step) && step.streams),
    [[{ streamId: 's', versions: [2] }]],
  );
  assert.deepEqual(
    plan.refusals.map(({ kind, version }) => [kind, version]),
    [
      ['put_back_events', '3'],
      ['remove_copies', '3'],
    ],
  );
});

const versions = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 5 });
const factsOf = (streamId: string) =>
  fc
    .record({ changed: versions, absent: versions, diverged: versions })
    .map(({ changed, absent, diverged }): StreamFacts => {
      // An event is one of these; copies are had by some that are changed and some that are not.
      const rest = absent.filter((version) => !changed.includes(version));
      const others = diverged.filter((version) => !changed.includes(version) && !rest.includes(version));
      return {
        ...SOUND,
        streamId,
        changed,
        copied: changed.slice(0, 2),
        absent: rest,
        diverged: others,
        onlyLive: 1,
      };
    });

it('whatever is allowed: each event is in a step or refused, no step touches what diverged, steps stand in their order', () => {
  fc.assert(
    fc.property(factsOf('s'), factsOf('t'), fc.subarray([...REPAIR_KINDS]), (s, t, allowed) => {
      const plan = decide({ facts: [s, t], allowed });
      assert.equal(plan.onlyLive, 2);
      const order = plan.steps.map(({ kind }) => EVENT_KINDS.indexOf(kind as (typeof EVENT_KINDS)[number]));
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      );
      assert.ok(plan.steps.every(({ kind }) => allowed.includes(kind)));
      for (const stream of [s, t]) {
        const planned = plan.steps.filter(isEventStep).flatMap((step) => {
          return step.streams
            .filter(({ streamId }) => streamId === stream.streamId)
            .flatMap((one) => one.versions);
        });
        assert.ok(stream.diverged.every((version) => !planned.includes(version)));
        const refused = plan.refusals.filter(({ streamId }) => streamId === stream.streamId);
        const count = refused.reduce((sum, { events }) => sum + events, 0);
        const all =
          stream.changed.length + stream.copied.length + stream.absent.length + stream.diverged.length;
        assert.equal(planned.length + count, all);
      }
    }),
  );
});
