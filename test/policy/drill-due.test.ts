import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isDrillOverdue, whyNotDue } from '../../src/policy/drill-due.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 29);

test('a full restore is due when none passed, when nothing says how often, and when its time has come', () => {
  assert.equal(whyNotDue({ lastPassedAtMs: null, frequencyMs: 7 * DAY, nowMs: NOW }), null);
  assert.equal(whyNotDue({ lastPassedAtMs: NOW, frequencyMs: null, nowMs: NOW }), null);
  assert.equal(whyNotDue({ lastPassedAtMs: NOW - 7 * DAY, frequencyMs: 7 * DAY, nowMs: NOW }), null);
  const why = whyNotDue({ lastPassedAtMs: NOW - 3 * DAY, frequencyMs: 7 * DAY, nowMs: NOW });
  assert.equal(why, 'one passed 3 days ago');
});

test('a schedule that comes some seconds early does not put it off to the next time', () => {
  const early = NOW - 7 * DAY + 30_000;
  assert.equal(whyNotDue({ lastPassedAtMs: early, frequencyMs: 7 * DAY, nowMs: NOW }), null);
});

test('a drill in the future puts nothing off, and once due it stays due', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.integer({ min: -400, max: 400 }), (every, age) => {
      const facts = { lastPassedAtMs: NOW - age * DAY, frequencyMs: every * DAY };
      const due = whyNotDue({ ...facts, nowMs: NOW }) === null;
      if (age < 0) assert.ok(due);
      if (due && age >= 0) assert.equal(whyNotDue({ ...facts, nowMs: NOW + DAY }), null);
    }),
  );
});

test('drills are overdue only where something says how long they may be ago', () => {
  assert.equal(isDrillOverdue({ lastPassedAtMs: null, withinMs: null, nowMs: NOW }), null);
  assert.equal(isDrillOverdue({ lastPassedAtMs: null, withinMs: DAY, nowMs: NOW }), true);
  assert.equal(isDrillOverdue({ lastPassedAtMs: NOW - DAY, withinMs: DAY, nowMs: NOW }), false);
  assert.equal(isDrillOverdue({ lastPassedAtMs: NOW - DAY - 1, withinMs: DAY, nowMs: NOW }), true);
});
