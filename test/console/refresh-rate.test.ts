import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBusy, makeRefreshRate } from '../../src/console/refresh-rate.ts';
import { jobView } from './fixture-jobs.ts';
import { storeNamed } from './fixtures.ts';

const START = 1_796_000_000_000;
/** Numbers from 0 to 1, the same at every run. */
function makeRandom(): () => number {
  let state = 7;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** So many pages are opened at once and come again as they are told; gives how many came in each second. */
function watch(viewers: number, seconds: number, isBusyNow: (ms: number) => boolean): number[] {
  const rate = makeRefreshRate(makeRandom());
  const due = Array.from({ length: viewers }, () => START + rate.after(START, isBusyNow(START)));
  const counts = new Array<number>(seconds).fill(0);
  for (let ms = START; ms < START + seconds * 1000; ms += 10) {
    for (const [i, at] of due.entries()) {
      if (at > ms) continue;
      counts[Math.floor((ms - START) / 1000)]! += 1;
      due[i] = ms + rate.after(ms, isBusyNow(ms));
    }
  }
  return counts;
}

describe('how often pages come again', () => {
  it('is every two seconds for one viewer while something runs, and every fifteen while nothing does', () => {
    const rate = makeRefreshRate(makeRandom());
    for (let i = 0; i < 50; i += 1) {
      const nowMs = START + i * 20_000;
      const [busy, quiet] = [rate.after(nowMs, true), rate.after(nowMs, false)];
      assert.ok(busy >= 2000 && busy <= 2600, `${busy}`);
      assert.ok(quiet >= 15_000 && quiet <= 15_600, `${quiet}`);
    }
  });

  it('is no more than 25 times a second for 1,000 viewers together, from the first second on', () => {
    for (const isBusyNow of [() => true, () => false, (ms: number) => ms % 60_000 < 30_000]) {
      const counts = watch(1000, 180, isBusyNow);
      assert.ok(Math.max(...counts) <= 25, `${Math.max(...counts)}`);
      const later = counts.slice(60);
      assert.ok(
        later.reduce((sum, count) => sum + count, 0) / later.length > 15,
        'nobody is kept waiting for nothing',
      );
    }
  });

  it('does not come at once for all who share a slot', () => {
    const rate = makeRefreshRate(makeRandom());
    assert.equal(new Set(Array.from({ length: 5 }, () => rate.after(START, true))).size, 5);
  });

  it('makes nobody wait for those who left, or for a clock that was set', () => {
    const rate = makeRefreshRate(makeRandom());
    for (let i = 0; i < 5000; i += 1) rate.after(START, true);
    assert.ok(rate.after(START + 300_000, true) <= 2600);
    assert.ok(rate.after(START - 86_400_000, true) <= 2600);
    assert.ok(rate.after(START + 10 * 86_400_000, true) <= 2600);
  });

  it('has a longest wait, however many look', () => {
    const rate = makeRefreshRate(makeRandom());
    let longest = 0;
    for (let i = 0; i < 14_000; i += 1) longest = Math.max(longest, rate.after(START, true));
    assert.ok(longest <= 600_500, `${longest}`);
  });

  it('goes by what ends: a log that is captured runs all the time', () => {
    const jobs = [jobView('orders', { job: 'archive', runningMs: 5000 })];
    assert.equal(isBusy([{ ...storeNamed('orders'), jobs }]), false);
    assert.equal(isBusy([storeNamed('orders'), storeNamed('shop')]), true);
    const asked = { ...jobView('orders', { job: 'full' }), asked: { who: 'grace', atMs: START } };
    assert.equal(isBusy([{ ...storeNamed('orders'), jobs: [asked] }]), true, 'it begins at any moment');
  });
});
