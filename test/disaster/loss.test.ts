import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { DataLossEstimate } from '../../src/core/disaster.ts';
import { assess } from '../../src/disaster/assess.ts';
import {
  answered,
  anyFacts,
  found,
  HOME,
  primaryState,
  sampleAt,
  silent,
  standbyState,
  WEST,
} from './scene.ts';

function lossWith(position: string, changes: Parameters<typeof found>[1] = {}): DataLossEstimate {
  const standby = answered(WEST, standbyState({ position, upstream: null }));
  return assess(found([silent(HOME), silent(HOME, 'timed_out', 'west'), standby], changes)).estimatedDataLoss;
}

describe('what would be lost with a standby', () => {
  it('is what it lacks of the newest sample, in bytes, and in events and time by the samples', () => {
    const loss = lossWith('0/4800');
    // 2048 bytes at 100 events for 4096; from the sample at 0/4000 until one interval after the newest.
    assert.deepEqual([loss.bytes, loss.events, loss.timeMs, loss.sampleAgeMs], ['2048', 50, 10_000, 5000]);
    assert.match(
      loss.basis,
      /lacks 2048 bytes of the newest sample, which is 5s old; up to 100 events may have come since/,
    );
  });

  it('is not known to be nothing when it has all of the newest sample', () => {
    const loss = lossWith('0/6000');
    assert.deepEqual([loss.bytes, loss.events, loss.timeMs], ['0', null, 5000]);
  });

  it('is not known where there is no sample, or where events were not counted', () => {
    const none = lossWith('0/4800', { samples: [] });
    assert.deepEqual([none.bytes, none.events, none.timeMs, none.sampleAgeMs], [null, null, null, null]);
    assert.match(none.basis, /no sample/);
    const uncounted = lossWith('0/4800', {
      samples: [sampleAt(10, '0/4000', null), sampleAt(5, '0/5000', null)],
    });
    assert.deepEqual([uncounted.bytes, uncounted.events], ['2048', null]);
    const reset = lossWith('0/4800', { samples: [sampleAt(10, '0/4000', 900), sampleAt(5, '0/5000', 10)] });
    assert.equal(reset.events, null, 'a count that went down says nothing');
    assert.deepEqual([lossWith('0/1000').timeMs, lossWith('0/1000').bytes], [null, '16384']);
  });

  it('is nothing where the primary is fenced, nobody is in, and the standby has its end', () => {
    const fenced = primaryState({ isFenced: true, clients: 0, position: '0/6000' });
    const lossOf = (changes: object, position: string): DataLossEstimate =>
      assess(found([answered(HOME, { ...fenced, ...changes }), answered(WEST, standbyState({ position }))]))
        .estimatedDataLoss;
    const { bytes, events, timeMs } = lossOf({}, '0/6000');
    assert.deepEqual([bytes, events, timeMs], ['0', 0, 0]);
    for (const [changes, position] of [
      [{ isFenced: false }, '0/6000'],
      [{ clients: 2 }, '0/6000'],
      [{ clients: null }, '0/6000'],
      [{}, '0/5FFF'],
    ] as const)
      assert.notEqual(lossOf(changes, position).events, 0);
    const later = answered(WEST, standbyState({ position: '0/6000', timeline: 2 }));
    const { estimatedDataLoss } = assess(found([answered(HOME, fenced), later]));
    assert.notEqual(estimatedDataLoss.events, 0, 'on another timeline the same position is another place');
  });
});

it('without a standby it is from the newest point of a vault on', () => {
  const { estimatedDataLoss } = assess(found([silent(HOME), silent(HOME, 'timed_out', 'west')]));
  // The point is a minute old; the last sign five seconds, and five more until there would have been another.
  assert.deepEqual(
    [estimatedDataLoss.bytes, estimatedDataLoss.timeMs, estimatedDataLoss.events],
    [null, 60_000, 1200],
  );
  const nothing = assess(found([silent(HOME)], { vaults: [] })).estimatedDataLoss;
  assert.deepEqual([nothing.bytes, nothing.timeMs, nothing.events], [null, null, null]);
});

it('whatever is found, nothing is assumed to be 0', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const { estimatedDataLoss: loss, observations, primary } = assess(facts);
      const isShown = observations.some(
        ({ server, state }) => server === primary.server && state?.isFenced === true && state.clients === 0,
      );
      if (!isShown) assert.ok(loss.events !== 0 && loss.timeMs !== 0, JSON.stringify(loss));
      for (const number of [loss.events, loss.timeMs, loss.sampleAgeMs])
        assert.ok(number === null || (Number.isFinite(number) && number >= 0));
    }),
    { numRuns: 500 },
  );
});
