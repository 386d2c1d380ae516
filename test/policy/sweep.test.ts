import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { SweepPlace } from '../../src/core/finding.ts';
import {
  beginSweep,
  breakOffStep,
  endStep,
  planSweep,
  readSweep,
  type SweepState,
} from '../../src/policy/sweep.ts';

const NOW = '2026-11-29T18:00:00Z';
const seeds = fc.nat(0xffff_ffff);
const percentages = fc.oneof(
  fc.constantFrom(0.1, 1, 2.5, 5, 10, 30, 33.3, 50, 99, 100),
  fc.double({ min: 0.5, max: 100, noNaN: true }),
);
const sizes = fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 5000 }));

/** Runs until both rounds have ended once; the table has `sizeAt(run)` blocks. */
function sweepOnce(seed: number, percentage: number, sizeAt: (run: number) => number) {
  let state = beginSweep(seed);
  const blocks: number[][] = [];
  const buckets: number[][] = [];
  const ended = { blocks: 0, buckets: 0 };
  for (let run = 0; ended.blocks === 0 || ended.buckets === 0; run += 1) {
    assert.ok(run < 2100, 'the sweep does not end');
    const step = planSweep(state, { blocks: sizeAt(run), percentage, now: NOW });
    if (ended.blocks === 0) blocks.push([...step.blocks]);
    if (ended.buckets === 0) buckets.push([...step.buckets]);
    state = endStep(step, []);
    if (state.blocks.round === 1 && ended.blocks === 0) ended.blocks = run + 1;
    if (state.buckets.round === 1 && ended.buckets === 0) ended.buckets = run + 1;
  }
  return { blocks, buckets, ended, state };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const ascending = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);

describe('a sweep', () => {
  it('looks at everything once, in ceil(100 / p) runs at most', () => {
    fc.assert(
      fc.property(seeds, percentages, sizes, (seed, percentage, size) => {
        const { blocks, buckets, ended } = sweepOnce(seed, percentage, () => size);
        assert.deepEqual(ascending(blocks.flat()), range(size));
        assert.deepEqual(ascending(buckets.flat()), range(1000));
        const runs = Math.ceil(100 / percentage - 1e-9);
        assert.ok(ended.blocks <= runs, `${ended.blocks} runs of ${runs}`);
        assert.ok(ended.buckets <= runs, `${ended.buckets} runs of ${runs}`);
      }),
      { numRuns: 60 },
    );
  });

  it('takes exactly its share in each run but the last, rounded up to groups that are small against it', () => {
    fc.assert(
      fc.property(seeds, percentages, sizes, (seed, percentage, size) => {
        const { blocks, state } = sweepOnce(seed, percentage, () => size);
        const { group } = state.blocks;
        const share = (size * percentage) / 100;
        assert.ok(group === 1 || group <= share / 8, `groups of ${group} for ${share}`);
        const groups = Math.max(1, Math.ceil((Math.ceil(size / group) * percentage) / 100 - 1e-9));
        const grouped = blocks.map((numbers) => new Set(numbers.map((number) => Math.floor(number / group))));
        for (const taken of grouped.slice(0, -1)) assert.equal(taken.size, groups);
        assert.ok(grouped.at(-1)!.size <= groups);
      }),
      { numRuns: 60 },
    );
  });

  it('leaves out no block that was there from its beginning, and none twice, while the table grows', () => {
    fc.assert(
      fc.property(seeds, percentages, sizes, fc.nat(20), (seed, percentage, size, growth) => {
        // A table that grows as fast as it is looked through would never be swept.
        const { blocks } = sweepOnce(seed, percentage, (run) => size + Math.min(200, run * growth));
        const seen = blocks.flat();
        assert.equal(new Set(seen).size, seen.length);
        const all = new Set(seen);
        for (const number of range(size)) assert.ok(all.has(number), `block ${number} was not looked at`);
      }),
      { numRuns: 60 },
    );
  });

  it('goes on in another order when all was looked at, and keeps the seed of the buckets', () => {
    const first = sweepOnce(7, 5, () => 400);
    const step = planSweep(first.state, { blocks: 400, percentage: 5, now: NOW });
    assert.notDeepEqual(step.blocks, first.blocks[0]);
    assert.equal(step.blocks.length, 20);
    assert.equal(first.state.seed, 7);
    assert.equal(first.state.blocks.finishedAt, NOW);
    assert.equal(first.state.blocks.startedAt, null);
    assert.equal(step.next.blocks.startedAt, NOW);
  });

  it('says the same for the same state, which survives being kept as JSON', () => {
    fc.assert(
      fc.property(seeds, fc.nat(8), (seed, runs) => {
        let state = beginSweep(seed);
        for (let run = 0; run < runs; run += 1)
          state = endStep(planSweep(state, { blocks: 90, percentage: 12, now: NOW }), [
            { kind: 'block', number: run },
          ]);
        const kept = readSweep(JSON.parse(JSON.stringify(state)));
        assert.deepEqual(kept, state);
        const options = { blocks: 90, percentage: 12, now: NOW };
        assert.deepEqual(planSweep(kept!, options), planSweep(state, options));
      }),
      { numRuns: 40 },
    );
  });

  it('looks again where something was found, until nothing is', () => {
    const found: SweepPlace[] = [
      { kind: 'block', number: 3 },
      { kind: 'bucket', number: 999 },
      { kind: 'block', number: 3 },
    ];
    let state = endStep(planSweep(beginSweep(1), { blocks: 1000, percentage: 1, now: NOW }), found);
    assert.equal(state.suspects.length, 2);
    for (let run = 0; run < 3; run += 1) {
      const step = planSweep(state, { blocks: 1000, percentage: 1, now: NOW });
      assert.ok(step.blocks.includes(3) && step.buckets.includes(999));
      assert.equal(step.blocks.length + step.buckets.length, 20 + step.again);
      state = endStep(step, found);
    }
    const clean = endStep(planSweep(state, { blocks: 1000, percentage: 1, now: NOW }), []);
    assert.deepEqual(clean.suspects, []);
  });

  it('reads a block no more in which the store was lost twice, until the next round', () => {
    const options = { blocks: 20, percentage: 50, now: NOW };
    let state = beginSweep(2);
    const [lost] = planSweep(state, options).blocks;
    for (const times of [1, 2]) {
      const step = planSweep(state, options);
      assert.ok(step.blocks.includes(lost!));
      state = breakOffStep(state, lost!, [{ kind: 'bucket', number: 4 }]);
      assert.deepEqual([state.strikes, state.blocks.from], [[{ block: lost, times }], 0]);
      state = readSweep(JSON.parse(JSON.stringify(state)))!;
    }
    const first = planSweep(state, options);
    assert.deepEqual([first.avoided, first.blocks.length], [[lost], 9]);
    assert.ok(!first.blocks.includes(lost!) && first.buckets.includes(4));
    state = endStep(first, [{ kind: 'block', number: lost! }]);
    const second = planSweep(state, options);
    assert.equal(second.blocks.length, 10);
    state = endStep(second, []);
    const seen: number[] = [];
    for (let run = 0; run < 2; run += 1) {
      const step = planSweep(state, options);
      seen.push(...step.blocks);
      state = endStep(step, []);
    }
    assert.ok(seen.includes(lost!));
    assert.deepEqual(state.strikes, []);
  });

  it('forgets a lost store where the block is read the next time', () => {
    const options = { blocks: 20, percentage: 100, now: NOW };
    const state = breakOffStep(beginSweep(2), 3, []);
    assert.deepEqual(endStep(planSweep(state, options), []).strikes, []);
  });

  it('forgets suspects that the table has no more, and keeps a bounded number', () => {
    const many: SweepPlace[] = Array.from({ length: 5000 }, (_, number) => ({ kind: 'block', number }));
    const state = endStep(planSweep(beginSweep(1), { blocks: 5000, percentage: 100, now: NOW }), many);
    assert.equal(state.suspects.length, 1000);
    assert.equal(planSweep(state, { blocks: 10, percentage: 1, now: NOW }).blocks.length, 10);
  });

  it('reads neighbours together in a large store, and keeps to their number while a round lasts', () => {
    const first = planSweep(beginSweep(5), { blocks: 4000, percentage: 5, now: NOW });
    assert.equal(first.next.blocks.group, 16);
    assert.equal(first.blocks.length, 13 * 16);
    const second = planSweep(first.next, { blocks: 4100, percentage: 0.1, now: NOW });
    assert.equal(second.next.blocks.group, 16);
    assert.equal(planSweep(beginSweep(5), { blocks: 4000, percentage: 0.1, now: NOW }).next.blocks.group, 1);
  });

  it('draws each block as often as any other, and pairs of them alike', () => {
    const [size, trials] = [50, 4000];
    const drawn = new Float64Array(size);
    let pairs = 0;
    for (let seed = 0; seed < trials; seed += 1) {
      const { blocks } = planSweep(beginSweep(seed), { blocks: size, percentage: 10, now: NOW });
      for (const number of blocks) drawn[number]! += 1;
      pairs += blocks.filter((number) => blocks.includes(number + 1)).length;
    }
    const expected = (trials * 5) / size;
    const chiSquare = drawn.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 49 degrees of freedom: 85.4 is passed by chance once in a thousand times.
    assert.ok(chiSquare < 85.4, `chi-square ${chiSquare}`);
    const expectedPairs = trials * 49 * ((5 * 4) / (50 * 49));
    assert.ok(Math.abs(pairs - expectedPairs) < 4 * Math.sqrt(expectedPairs), `${pairs} of ${expectedPairs}`);
  });

  it('takes no other value for a state', () => {
    const state: SweepState = beginSweep(3);
    const others: unknown[] = [
      ...[null, 4, 'x', [], {}],
      { ...state, seed: -1 },
      { ...state, blocks: { ...state.blocks, from: 1.5 } },
      { ...state, buckets: null },
      { ...state, suspects: [{ kind: 'row', number: 1 }] },
      { ...state, suspects: [null] },
      { ...state, strikes: [{ block: 1 }] },
    ];
    for (const other of others) assert.equal(readSweep(other), null, JSON.stringify(other));
  });
});
