import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DOWN, makeRateBudget, rateOf, take, takeBytes, UP } from '../../../src/vaults/wrappers/rate.ts';

const BURST_SECONDS = 0.1;

/** Takers that each wait as they are told; how much has passed at which time, in nanoseconds. */
function simulate(rate: bigint, steps: readonly { pauseNs: number; bytes: number }[]) {
  let paidUntilNs = 0n;
  let nowNs = 1_000_000_000n;
  const passed: { atNs: bigint; bytes: bigint }[] = [];
  for (const { pauseNs, bytes } of steps) {
    nowNs += BigInt(pauseNs);
    const taken = take({ rate, paidUntilNs }, BigInt(bytes), nowNs);
    paidUntilNs = taken.paidUntilNs;
    nowNs += BigInt(Math.ceil(taken.waitMs * 1e6));
    passed.push({ atNs: nowNs, bytes: BigInt(bytes) });
  }
  return passed;
}

const steps = fc.array(
  fc.record({
    pauseNs: fc.integer({ min: 0, max: 500_000_000 }),
    bytes: fc.integer({ min: 0, max: 100_000 }),
  }),
  { minLength: 1, maxLength: 60 },
);
const rates = fc.bigInt({ min: 1000n, max: 10_000_000n });

describe('a bucket', () => {
  it('lets no more pass in any span of time than its rate and one burst', () => {
    fc.assert(
      fc.property(rates, steps, (rate, taken) => {
        const passed = simulate(rate, taken);
        for (let from = 0; from < passed.length; from += 1) {
          let bytes = 0;
          for (let to = from; to < passed.length; to += 1) {
            bytes += Number(passed[to]!.bytes);
            // What passes at the end of the span was taken at its beginning or later.
            const begin = from === 0 ? 1_000_000_000n : passed[from - 1]!.atNs;
            const seconds = Number(passed[to]!.atNs - begin) / 1e9;
            assert.ok(
              bytes <= Number(rate) * (seconds + BURST_SECONDS) * 1.001 + 1,
              `${bytes} in ${seconds} s`,
            );
          }
        }
      }),
    );
  });

  it('lets all that is asked for pass at its rate: nobody waits longer than for what was taken', () => {
    fc.assert(
      fc.property(rates, steps, (rate, taken) => {
        const passed = simulate(rate, taken);
        const bytes = passed.reduce((sum, step) => sum + Number(step.bytes), 0);
        const pausedNs = taken.reduce((sum, { pauseNs }) => sum + pauseNs, 0);
        const elapsedNs = Number(passed.at(-1)!.atNs - 1_000_000_000n);
        assert.ok(elapsedNs <= pausedNs + (bytes / Number(rate)) * 1e9 + taken.length * 2);
      }),
    );
  });

  it('gives no more than a burst after a rest, however long', () => {
    fc.assert(
      fc.property(rates, fc.bigInt({ min: 1n, max: 10n ** 18n }), (rate, restNs) => {
        const { waitMs } = take({ rate, paidUntilNs: 0n }, rate, restNs);
        // A second's worth, of which the bucket had at most a tenth.
        assert.ok(waitMs >= 899);
      }),
    );
  });
});

describe('a budget', () => {
  it('counts each way for itself', () => {
    const budget = makeRateBudget(1000);
    assert.equal(rateOf(budget), 1000);
    assert.equal(takeBytes(budget, UP, 1100, 10n ** 10n), 1000);
    assert.equal(takeBytes(budget, UP, 1000, 10n ** 10n), 2000);
    assert.equal(takeBytes(budget, DOWN, 600, 10n ** 10n), 500);
  });
});
