import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CompanionRow } from '../../src/core/event-store.ts';
import { decideCheckpoint } from '../../src/recovery/checkpoints.ts';

const head = '01890a5d-ac96-774b-bcce-b302099a8057';
const later = '01890a5d-ac97-7000-8000-000000000000';

function checkpoint(position: string): CompanionRow {
  return {
    table: 'eventcore_subscription_versions',
    role: 'checkpoints',
    values: { subscription_name: 'billing', last_position: position, updated_at: '2026-11-23T04:05:06Z' },
  };
}

describe('a consumer checkpoint', () => {
  it('is kept as it was, and said to be ahead when it is', () => {
    const kept = decideCheckpoint(checkpoint(head), 'keep', head);
    assert.deepEqual(kept.row, checkpoint(head));
    assert.equal(kept.outcome.ahead, false);
    const ahead = decideCheckpoint(checkpoint(later), 'keep', head);
    assert.deepEqual(ahead.row, checkpoint(later));
    assert.deepEqual(ahead.outcome, {
      name: 'billing',
      position: later,
      ahead: true,
      action: 'kept',
      restoredPosition: later,
    });
  });

  it('is clamped to the last restored event only when it is ahead', () => {
    assert.deepEqual(decideCheckpoint(checkpoint(later), 'clamp', head).row, checkpoint(head));
    assert.deepEqual(decideCheckpoint(checkpoint(head), 'clamp', later).row, checkpoint(head));
    assert.equal(decideCheckpoint(checkpoint(later.toUpperCase()), 'clamp', later).outcome.ahead, false);
  });

  it('is left out by a reset', () => {
    const reset = decideCheckpoint(checkpoint(head), 'reset', head);
    assert.equal(reset.row, null);
    assert.equal(reset.outcome.action, 'reset');
  });

  it('is not called ahead when nothing is known of the events', () => {
    assert.equal(decideCheckpoint(checkpoint(later), 'clamp', null).outcome.action, 'kept');
  });
});
