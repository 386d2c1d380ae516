import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Objective, StoreStatus } from '../../src/core/status.ts';
import { judgeObjectives } from '../../src/policy/objectives.ts';
import {
  ALL_PROMISES,
  before,
  DAY_MS,
  GOOD_STATUS,
  NO_PROMISES,
  STATUS_AT_MS,
} from '../harness/sample-status.ts';

const judge = (changes: Partial<StoreStatus>, laterMs = 0): Objective[] =>
  judgeObjectives({ ...GOOD_STATUS, ...changes }, STATUS_AT_MS + laterMs);

const stateOf = (objectives: readonly Objective[], name: Objective['name']): string =>
  objectives.find((objective) => objective.name === name)!.state;

function problem(of: string): StoreStatus['problems'][number] {
  return { of, code: 'vault_unreachable', message: 'it is away', hint: null };
}

describe('what the policy promises', () => {
  it('is one objective for each promise and each replica, and none where nothing is promised', () => {
    const named = judge({}).map(({ name, region, state }) => [name, region, state]);
    assert.deepEqual(named, [
      ['rpo', null, 'kept'],
      ['region_rpo', 'us-west-2', 'kept'],
      ['rto', null, 'kept'],
      ['verified_within', null, 'kept'],
      ['drilled_within', null, 'kept'],
    ]);
    assert.deepEqual(judge({ promises: NO_PROMISES }), []);
  });

  it('is judged as of now, so a status that nobody renews does not stay good', () => {
    assert.equal(stateOf(judge({}, 14 * 60_000), 'rpo'), 'kept');
    const [rpo] = judge({}, 15 * 60_000);
    assert.equal(rpo!.state, 'breached');
    assert.equal(rpo!.actualMs, 15 * 60_000 + 35_000);
    assert.equal(
      rpo!.reason,
      'what can be recovered ends at 2026-11-29 11:59:25 UTC, 15 min 35 s ago: the policy says rpo 15min',
    );
    assert.match(rpo!.next!, /`eventcore archive`/);
    assert.deepEqual(
      judge({}, 60 * DAY_MS).map(({ state }) => state),
      ['breached', 'breached', 'kept', 'breached', 'breached'],
    );
  });

  it('is broken where there is nothing, and unknown where nobody could look', () => {
    const nothing = { newestPoint: null, lastPassedDrillAt: null, drill: null };
    assert.equal(stateOf(judge(nothing), 'rpo'), 'breached');
    assert.equal(stateOf(judge(nothing), 'drilled_within'), 'breached');
    assert.equal(stateOf(judge({ ...nothing, problems: [problem('drills')] }), 'drilled_within'), 'unknown');
    assert.equal(stateOf(judge(nothing), 'rto'), 'unknown');
    assert.equal(stateOf(judge({ verification: null }), 'verified_within'), 'unknown');
    const empty = { oldestSeconds: null, never: 0, units: 0, unsound: 0, proven: [] };
    assert.equal(stateOf(judge({ verification: empty }), 'verified_within'), 'unknown');
  });

  it('is broken by what was found unsound, however lately it was verified', () => {
    const verification = { ...GOOD_STATUS.verification!, unsound: 2 };
    const found = judge({ verification }).find(({ name }) => name === 'verified_within')!;
    assert.equal(found.state, 'breached');
    assert.match(found.reason, /^2 were found unsound/);
  });

  it('tells a region that is away from one that holds nothing, and from one that was never named', () => {
    const [primary, replica] = GOOD_STATUS.regions;
    const away = { ...replica!, newestPoint: null, backups: null, lagSeconds: null };
    const regions = [primary!, away];
    assert.equal(
      stateOf(judge({ regions, problems: [problem('region us-west-2')] }), 'region_rpo'),
      'unknown',
    );
    assert.equal(stateOf(judge({ regions: [primary!, { ...away, backups: 0 }] }), 'region_rpo'), 'breached');
    const none = judge({ regions: [primary!] }).find(({ name }) => name === 'region_rpo')!;
    assert.deepEqual([none.state, none.region], ['breached', null]);
  });

  it('takes what lies in the future, by a clock that is ahead, for as new as can be', () => {
    const ahead = before(-3_600_000);
    const found = judge({
      newestPoint: ahead,
      lastPassedDrillAt: ahead,
      promises: { ...ALL_PROMISES, drilledWithinMs: 1 },
    });
    assert.deepEqual([stateOf(found, 'rpo'), stateOf(found, 'drilled_within')], ['kept', 'kept']);
    assert.equal(found[0]!.actualMs, 0);
  });

  it('comes with a next step whenever it is not kept, and with none when it is', () => {
    for (const later of [0, 60 * DAY_MS]) {
      for (const { state, next, reason } of judge({}, later)) {
        assert.equal(next === null, state === 'kept');
        assert.match(reason, /: the policy says [a-z_]+ \d+[a-z]+$/);
      }
    }
  });
});

// Some are short, so that times which lie in the future count.
const aSpan = fc.oneof(fc.integer({ min: 1, max: 5 * DAY_MS }), fc.integer({ min: 1, max: 100 * DAY_MS }));
const aWhile = fc.oneof(fc.nat(5 * DAY_MS), fc.nat(200 * DAY_MS));
const aTime = fc.option(fc.integer({ min: -10 * DAY_MS, max: 100 * DAY_MS }).map(before));
const aCount = fc.nat(3);
const seconds = fc.option(fc.nat(10_000_000));

const aStatus: fc.Arbitrary<StoreStatus> = fc
  .record({
    newestPoint: aTime,
    regionPoint: aTime,
    regionBackups: fc.option(aCount),
    rtoSeconds: seconds,
    verification: fc.option(
      fc.record({
        oldestSeconds: seconds,
        never: aCount,
        units: aCount,
        unsound: aCount,
        proven: fc.constant([]),
      }),
    ),
    lastPassedDrillAt: aTime,
    promises: fc.record({
      ...{ rpoMs: aSpan, regionRpoMs: aSpan, rtoMs: aSpan, verifiedWithinMs: aSpan, drilledWithinMs: aSpan },
    }),
    problems: fc.subarray(['drills', 'verification', 'region us-west-2', 'store', 'log']),
  })
  .map(({ regionPoint, regionBackups, rtoSeconds, problems, ...facts }) => ({
    ...GOOD_STATUS,
    ...facts,
    regions: [{ ...GOOD_STATUS.regions[1]!, newestPoint: regionPoint, backups: regionBackups }],
    drill: { ...GOOD_STATUS.drill!, rtoSeconds },
    problems: problems.map(problem),
  }));

describe('whatever is known, a promise', () => {
  it('is never kept again only because time goes by', () => {
    fc.assert(
      fc.property(aStatus, aWhile, aWhile, (status, first, more) => {
        const sooner = judgeObjectives(status, STATUS_AT_MS + first);
        const later = judgeObjectives(status, STATUS_AT_MS + first + more);
        sooner.forEach(({ name, state }, i) => {
          assert.equal(later[i]!.name, name);
          if (state !== 'kept') assert.equal(later[i]!.state, state, name);
        });
      }),
    );
  });

  it('is never kept without a fact that says so, and kept only within what was promised', () => {
    fc.assert(
      fc.property(aStatus, fc.nat(200 * DAY_MS), (status, later) => {
        for (const objective of judgeObjectives(status, STATUS_AT_MS + later)) {
          const { state, actualMs, promisedMs, name } = objective;
          if (state === 'kept') assert.ok(actualMs !== null && actualMs <= promisedMs, name);
          if (state === 'unknown') assert.equal(actualMs, null, name);
          if (actualMs !== null && actualMs > promisedMs) assert.equal(state, 'breached', name);
        }
      }),
    );
  });

  it('is judged by itself: one promise more changes nothing of the others', () => {
    const names = Object.keys(ALL_PROMISES) as (keyof typeof ALL_PROMISES)[];
    fc.assert(
      fc.property(aStatus, fc.subarray(names), (status, left) => {
        const fewer = {
          ...NO_PROMISES,
          ...Object.fromEntries(left.map((name) => [name, status.promises[name]])),
        };
        const all = judgeObjectives(status, STATUS_AT_MS);
        const some = judgeObjectives({ ...status, promises: fewer }, STATUS_AT_MS);
        for (const objective of some)
          assert.deepEqual(
            all.find(({ name }) => name === objective.name),
            objective,
          );
      }),
    );
  });
});
