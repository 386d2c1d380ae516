import assert from 'node:assert/strict';
import { it } from 'node:test';
import { repairPlanLines, repairResultLines } from '../../src/cli/render/repair.ts';
import type { RepairPlan } from '../../src/integrity/repair/plan.ts';

const plain = (_tone: string, text: string): string => text;

const PLAN: RepairPlan = {
  ...{ store: 'postgres://db/shop', backupId: 'b-1', onlyLive: 3, withoutIndexes: false },
  unfinished: [{ repairId: 'r-0', beganAt: '2026-11-29T18:00:00Z' }],
  steps: [
    {
      ...{
        kind: 'put_back_events',
        events: 3,
        reason: 'they differ',
        touches: 'their rows',
        keeps: 'each row',
      },
      streams: [
        { streamId: 'order-1', versions: [4, 5] },
        { streamId: 'evil\u001b[2J', versions: [7] },
      ],
    },
    {
      ...{
        kind: 'restore_guards',
        check: 'guards',
        object: 'a_trigger',
        reason: 'it is off',
        touches: 'a_trigger',
      },
      ...{ keeps: 'nothing: no data is changed' },
      statements: [{ sql: 'ALTER TABLE …', reason: 'switch it on', before: null }],
    },
  ],
  refusals: [
    {
      ...{
        code: 'diverged',
        kind: 'reinstate_events',
        streamId: 'order-9',
        version: '2',
        object: null,
        events: 2,
      },
      reason: 'another event stands there',
    },
  ],
};

it('a plan says what would be done, why, what is touched and kept, and what is refused', () => {
  assert.deepEqual(repairPlanLines(PLAN, plain), [
    'Repair of postgres://db/shop with backup b-1',
    'Repair r-0 was begun at 2026-11-29T18:00:00Z and has not ended: it died, or is under way',
    '1. put_back_events: 3 events of 2 streams',
    '   why: they differ',
    '   touches: their rows',
    '   keeps: each row',
    '   - order-1: 2 versions from 4 to 5',
    '   - evil\\u{1b}[2J: version 7',
    '2. restore_guards (a_trigger)',
    '   why: it is off',
    '   touches: a_trigger',
    '   keeps: nothing: no data is changed',
    '   - switch it on',
    '3 events of these streams that no backup has: not touched',
    'Not repaired: 1',
    '  reinstate_events: stream order-9, 2 events from version 2 on: another event stands there',
  ]);
});

it('a result names the repair and what became of each step', () => {
  const [first, second] = PLAN.steps;
  const steps = [
    { step: first!, outcome: 'repaired', reason: null } as const,
    { step: second!, outcome: 'refused', reason: 'must be owner' } as const,
  ];
  assert.deepEqual(repairResultLines({ repairId: 'r-1', steps, unrecorded: 'it is full' }, plain), [
    'Repair r-1',
    '  repaired: put_back_events: 3 events of 2 streams',
    '  refused: restore_guards (a_trigger): must be owner',
    '  The vault has no word of its end: it is full',
  ]);
  assert.deepEqual(repairResultLines({ repairId: null, steps: [], unrecorded: null }, plain), []);
});
