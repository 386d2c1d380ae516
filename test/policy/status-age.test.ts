import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StoreStatus } from '../../src/core/status.ts';
import { extendNewest, nextAskAt, periodOf } from '../../src/policy/status-age.ts';

const MINUTE = 60_000;
const TIMES = { beganMs: 0, touchedMs: null, lookedMs: null, periodMs: 10 * MINUTE };

const STATUS: Pick<StoreStatus, 'newestPoint' | 'windows' | 'gaps'> = {
  newestPoint: '2026-11-29T12:00:00.000000Z',
  windows: [
    { source: 'backup', from: '2026-11-20T00:00:00.000Z', to: '2026-11-20T00:00:00.000Z' },
    { source: 'log', from: '2026-11-28T00:00:00.000000Z', to: '2026-11-29T12:00:00.000000Z' },
  ],
  gaps: [{ from: '2026-11-27T00:00:00.000000Z', reason: 'feed_lost' }],
};
const LATER = '2026-11-29T12:00:07.250000Z';

function statusOf(changes: Partial<StoreStatus>): StoreStatus {
  return { ...STATUS, ...changes } as StoreStatus;
}

describe('the status of a store', () => {
  it('is asked at once, then as often as a promise needs', () => {
    assert.equal(nextAskAt({ ...TIMES, beganMs: null }), Number.NEGATIVE_INFINITY);
    assert.deepEqual([periodOf(null), periodOf(5 * MINUTE)], [10 * MINUTE, 2.5 * MINUTE]);
    assert.deepEqual([periodOf(10_000), periodOf(24 * 60 * MINUTE)], [MINUTE, 10 * MINUTE]);
    assert.equal(nextAskAt(TIMES), 10 * MINUTE);
  });

  it('is asked after what happened, once for all that happens together', () => {
    assert.equal(nextAskAt({ ...TIMES, touchedMs: 5 * MINUTE }), 5 * MINUTE + 3000);
    assert.equal(nextAskAt({ ...TIMES, touchedMs: 1000 }), 10_000);
    // What happened before it was asked is in it.
    assert.equal(nextAskAt({ ...TIMES, beganMs: 2000, touchedMs: 1000 }), 2000 + 10 * MINUTE);
  });

  it('is no older than a minute while somebody looks', () => {
    assert.equal(nextAskAt({ ...TIMES, lookedMs: 1 }), 60_000);
    assert.equal(nextAskAt({ ...TIMES, beganMs: 50_000, lookedMs: 40_000 }), 50_000 + 10 * MINUTE);
  });

  it('goes on with the log that this daemon writes', () => {
    const { newestPoint, windows } = extendNewest(statusOf({}), LATER);
    assert.equal(newestPoint, LATER);
    assert.deepEqual(windows[1], { ...STATUS.windows[1], to: LATER });
    assert.deepEqual(windows[0], STATUS.windows[0]);
  });

  it('goes on with nothing else: a backup alone, a log that broke off, or what is older', () => {
    const gapBehind = { gaps: [{ from: '2026-11-29T12:00:00.000000Z', reason: 'feed_lost' }] };
    const alone = { windows: [{ ...STATUS.windows[1]!, source: 'backup' as const }] };
    for (const changes of [gapBehind, alone, { newestPoint: null }, { windows: [] }])
      assert.deepEqual(extendNewest(statusOf(changes), LATER), statusOf(changes));
    assert.deepEqual(extendNewest(statusOf({}), '2026-11-29T11:59:00Z'), statusOf({}));
  });
});
