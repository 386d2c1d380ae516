import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OURS } from '../../bench/contenders/ours.ts';
import { makeResult, median } from '../../bench/results.ts';
import { parseSize, sizeText } from '../../bench/sizes.ts';
import { figures } from './sample-outcome.ts';

describe('results', () => {
  it('have the median: the middle one, or the mean of the two in the middle', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 10, 2]), 3);
    assert.equal(median([7]), 7);
    assert.ok(Number.isNaN(median([])));
  });

  it('take medians of the runs, but the most of the memory', () => {
    const runs = [
      figures({ wallSeconds: 9, peakMiB: 100, bytes: 10 }),
      figures({ wallSeconds: 1, peakMiB: 220, bytes: 30 }),
      figures({ wallSeconds: 2, peakMiB: 120, bytes: 20 }),
    ];
    const { summary } = makeResult(OURS[0]!, runs);
    assert.equal(summary.wallSeconds, 2);
    assert.equal(summary.peakMiB, 220);
    assert.equal(summary.bytes, 20);
  });

  it('have no bytes where nothing is written', () => {
    assert.equal(makeResult(OURS[0]!, [figures({ bytes: null })]).summary.bytes, null);
  });
});

describe('sizes', () => {
  it('are read and written as people say them', () => {
    for (const [text, events] of [
      ['100k', 100_000],
      ['2M', 2_000_000],
      ['1234', 1234],
    ] as const) {
      assert.equal(parseSize(text), events);
      assert.equal(sizeText(events), text);
    }
    for (const text of ['', '0', '-1', '1G', 'M', '1.5M']) assert.equal(parseSize(text), null);
  });
});
