import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { shareOf, spreadStart } from '../../src/policy/spread.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TWO = Date.parse('2026-11-29T02:00:00Z');

function timeOf(lastStartedMs: number, lastWantedMs = TWO - DAY) {
  return { atMs: TWO, nextMs: TWO + DAY, lastWantedMs, lastStartedMs };
}

describe('what is due at the same time', () => {
  it('begins spread over the window: of 300 stores no minute of the hour has more than fifteen', () => {
    const minutes = new Map<number, number>();
    for (let i = 0; i < 300; i += 1) {
      const spread = { key: `shop_${String(i).padStart(3, '0')} incremental`, windowMs: HOUR, rpoMs: null };
      const minute = Math.floor((spreadStart(spread, timeOf(TWO - DAY)) - TWO) / MINUTE);
      minutes.set(minute, (minutes.get(minute) ?? 0) + 1);
    }
    assert.ok(Math.max(...minutes.values()) <= 15, String(Math.max(...minutes.values())));
    assert.ok(minutes.size >= 55 && [...minutes.keys()].every((minute) => minute >= 0 && minute < 60));
  });

  it('lies evenly, whatever names are like: ten parts of the window have each a tenth of 2,000 stores, give or take a quarter', () => {
    for (const name of [
      (i: number) => `s${i}`,
      (i: number) => `tenant-${i * 1024}`,
      (i: number) => 'x'.repeat(i % 7) + i,
    ]) {
      const parts = new Array<number>(10).fill(0);
      for (let i = 0; i < 2000; i += 1) parts[Math.floor(shareOf(name(i)) * 10)]! += 1;
      for (const count of parts) assert.ok(count > 150 && count < 250, parts.join(' '));
    }
  });

  it('begins always as far behind its time, so that runs come as regularly as the schedule', () => {
    const spread = { key: 'orders full', windowMs: HOUR, rpoMs: 25 * HOUR };
    const first = spreadStart(spread, timeOf(TWO - DAY + 20 * MINUTE));
    const next = { atMs: TWO + DAY, nextMs: TWO + 2 * DAY, lastWantedMs: TWO, lastStartedMs: first };
    assert.equal(spreadStart(spread, next), first + DAY);
  });

  it('begins within its window, never at the next time, and with no longer a gap than the schedule has or is promised', () => {
    const given = fc.record({
      key: fc.string(),
      windowMs: fc.integer({ min: 0, max: 3 * DAY }),
      rpoMs: fc.option(fc.integer({ min: MINUTE, max: 3 * DAY })),
      gapMs: fc.integer({ min: MINUTE, max: DAY }),
      nextGapMs: fc.integer({ min: MINUTE, max: DAY }),
      lateMs: fc.integer({ min: 0, max: DAY }),
    });
    fc.assert(
      fc.property(given, ({ key, windowMs, rpoMs, gapMs, nextGapMs, lateMs }) => {
        const lastWantedMs = TWO - gapMs;
        const time = {
          atMs: TWO,
          nextMs: TWO + nextGapMs,
          lastWantedMs,
          lastStartedMs: lastWantedMs + lateMs,
        };
        const startMs = spreadStart({ key, windowMs, rpoMs }, time);
        assert.ok(startMs >= TWO && startMs <= TWO + windowMs && startMs < TWO + nextGapMs);
        if (rpoMs === null || startMs === TWO) return;
        assert.ok(startMs - time.lastStartedMs <= Math.max(rpoMs, gapMs));
      }),
    );
  });

  it('begins before its part of the window where the run before was so early that else the promise would break', () => {
    const spread = { key: 'late', windowMs: 12 * HOUR, rpoMs: 25 * HOUR };
    assert.ok(spreadStart(spread, timeOf(TWO)) > TWO + HOUR, 'this key is late in the window');
    // A quarter of an hour is left to the run itself.
    assert.equal(spreadStart(spread, timeOf(TWO - DAY)), TWO + 45 * MINUTE);
    assert.equal(spreadStart(spread, timeOf(TWO - 2 * DAY)), TWO);
  });
});
