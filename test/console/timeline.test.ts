import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { timelineFacts } from '../../src/console/pages/timeline-facts.ts';
import {
  gapsOf,
  layTimeline,
  type TimelineFacts,
  ZOOMS,
  type Zoom,
  zoomOf,
} from '../../src/console/parts/timeline-geometry.ts';
import { NOW } from './fixture-jobs.ts';
import { storeNamed } from './fixtures.ts';

const HOUR = 3_600_000;
const ago = (ms: number): string => new Date(NOW - ms).toISOString();
const EMPTY: TimelineFacts = { windows: [], gaps: [], backups: [], rpoMs: null, nowMs: NOW };
const backup = (agoMs: number, kind: 'full' | 'incremental'): TimelineFacts['backups'][number] => ({
  ...{
    backupId: `${agoMs}`,
    kind,
    chainId: null,
    stateAt: ago(agoMs),
    finishedAt: ago(agoMs),
    durationMs: 1,
  },
  ...{ events: 1, sizeBytes: 1, sealed: false, verifiedAt: null, isSound: null },
});

/** Up to three years back, and a day ahead: clocks differ. */
const age = fc.integer({ min: -24 * HOUR, max: 26_280 * HOUR });
const factsArbitrary: fc.Arbitrary<TimelineFacts> = fc.record({
  windows: fc.array(
    fc.tuple(age, age, fc.constantFrom('log' as const, 'backup' as const)).map(([a, b, source]) => ({
      ...{ source, from: ago(Math.max(a, b)), to: ago(source === 'log' ? Math.min(a, b) : Math.max(a, b)) },
    })),
  ),
  gaps: fc.array(fc.option(age).map((ms) => ({ from: ms === null ? null : ago(ms), reason: 'slot_lost' }))),
  backups: fc.array(
    fc
      .tuple(age, fc.constantFrom('full' as const, 'incremental' as const))
      .map(([ms, kind]) => backup(ms, kind)),
  ),
  rpoMs: fc.option(fc.integer({ min: 1, max: 8760 * HOUR })),
  nowMs: fc.constant(NOW),
});

describe('the picture of a recovery window', () => {
  it('draws nothing outside itself, all from left to right, and no span backwards', () => {
    fc.assert(
      fc.property(factsArbitrary, fc.constantFrom(...(Object.keys(ZOOMS) as Zoom[])), (facts, zoom) => {
        const laid = layTimeline(facts, zoom);
        const spans = [...laid.spans, ...laid.gaps, ...(laid.promised === null ? [] : [laid.promised])];
        const places = [
          ...[laid.now, ...laid.points, ...spans.flatMap(({ start, end }) => [start, end])],
          ...[...laid.fulls, ...laid.incrementals, ...laid.ticks].map(({ at }) => at),
        ];
        for (const at of places) assert.ok(at >= 0 && at <= 1, `${at}`);
        for (const { start, end } of spans) assert.ok(start <= end);
        for (const row of [
          laid.points,
          laid.fulls.map(({ at }) => at),
          laid.incrementals.map(({ at }) => at),
          laid.spans.map(({ start }) => start),
        ]) {
          assert.deepEqual(
            row,
            row.toSorted((a, b) => a - b),
          );
        }
        assert.ok(laid.ticks.length <= 8 && laid.fromMs < NOW && NOW < laid.toMs);
      }),
    );
  });

  it('shows what lies in the range that was chosen, and leaves out the rest', () => {
    const facts = {
      ...EMPTY,
      backups: [backup(30 * HOUR, 'full'), backup(3 * HOUR, 'incremental'), backup(HOUR, 'incremental')],
    };
    const day = layTimeline(facts, '24h');
    assert.deepEqual([day.fulls.length, day.incrementals.length], [0, 2]);
    assert.deepEqual([layTimeline(facts, '7d').fulls.length, layTimeline(facts, 'all').fulls.length], [1, 1]);
  });

  it('cuts a window off where the range begins', () => {
    const windows = [{ source: 'log' as const, from: ago(48 * HOUR), to: ago(0) }];
    const laid = layTimeline({ ...EMPTY, windows }, '24h');
    assert.deepEqual(laid.spans, [{ start: 0, end: laid.now }]);
    assert.ok(Math.abs(laid.now - 1 / 1.02) < 1e-9);
  });

  it('has a gap go on until the next window begins, and where none does, until now', () => {
    const { gaps, windows } = storeNamed('orders').status!;
    const known = timelineFacts({ ...storeNamed('orders').status!, gaps, windows }, NOW);
    assert.deepEqual(gapsOf(known), [
      { startMs: Date.parse(gaps[0]!.from!), endMs: Date.parse(windows[1]!.from), reason: 'slot_lost' },
    ]);
    assert.equal(gapsOf({ ...known, windows: windows.slice(0, 1) })[0]!.endMs, NOW);
  });

  it('shows a store of the first minutes as an hour', () => {
    const laid = layTimeline({ ...EMPTY, backups: [backup(60_000, 'full')] }, 'all');
    assert.equal(laid.toMs - laid.fromMs, HOUR * 1.02);
  });

  it('takes the range that shows most of what there is, unless one is chosen', () => {
    const of = (hours: number): TimelineFacts => ({ ...EMPTY, backups: [backup(hours * HOUR, 'full')] });
    assert.deepEqual(
      [zoomOf(null, of(3)), zoomOf(null, of(100)), zoomOf(null, of(600)), zoomOf(null, of(9000))],
      ['all', '7d', '30d', 'all'],
    );
    assert.deepEqual([zoomOf('24h', of(9000)), zoomOf('constructor', of(100))], ['24h', '7d']);
  });
});
