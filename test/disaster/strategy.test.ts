import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DISASTER_TRIGGERS, type DisasterTrigger, STRATEGY_KINDS } from '../../src/core/disaster.ts';
import { assess } from '../../src/disaster/assess.ts';
import { decideStrategy, type StrategyDecision, type StrategyWish } from '../../src/disaster/strategy.ts';
import { cellOf, WAYS } from '../../src/disaster/strategy-table.ts';
import {
  ALIVE,
  answered,
  anyFacts,
  BEFORE,
  DEAD,
  found,
  HOME,
  lonely,
  NEAR,
  planFacts,
  primaryState,
  sampleAt,
  vault,
  WEST,
} from './scene.ts';

const NO_WISH: StrategyWish = { strategy: null, region: null, recoverTo: null };

function decide(
  trigger: DisasterTrigger,
  facts: ReturnType<typeof found>,
  wish: Partial<StrategyWish> = {},
  changes: Parameters<typeof planFacts>[0] = {},
): StrategyDecision {
  return decideStrategy({
    ...{ trigger, assessment: assess(facts), wish: { ...NO_WISH, ...wish } },
    facts: planFacts({ samples: facts.samples, ...changes }),
  });
}

function said(decision: StrategyDecision): string {
  const refusal = decision.strategy === null ? [decision.refusal, decision.hint] : [];
  return [...refusal, ...decision.reasons].join('\n');
}

describe('a failure of the database', () => {
  it('is answered by a standby of the same region, if there is one', () => {
    const decision = decide(
      'database_failure',
      found([...DEAD, answered(NEAR, lonely), answered(WEST, lonely)]),
    );
    assert.deepEqual(decision.strategy, { kind: 'regional_failover', targetRegion: 'home' });
    assert.match(said(decision), /db-2.home.* is the most advanced standby in the region of the primary/);
  });

  it('else by what loses less: a standby elsewhere or a restore at home, and both are explained', () => {
    const close = decide('database_failure', found([...DEAD, answered(WEST, lonely)]));
    assert.deepEqual(close.strategy, { kind: 'regional_failover', targetRegion: 'west' });
    assert.match(
      said(close),
      /regional_failover would lose about 5s .*\nlocal_restore would lose about 1min/,
    );
    const farBehind = answered(WEST, { ...lonely, position: '0/4000' });
    const newest = '2026-11-29T02:59:58.000Z';
    const facts = found([...DEAD, farBehind], {
      samples: [sampleAt(600, '0/3000', 0), sampleAt(300, '0/4000', 900), sampleAt(5, '0/5000', 1000)],
      vaults: [vault('home', { newestPoint: newest })],
    });
    const restore = decide('database_failure', facts);
    assert.deepEqual(restore.strategy, { kind: 'local_restore' });
    assert.match(said(restore), /the restore loses less, and takes longer/);
    const named = decide('database_failure', facts, { strategy: 'regional_failover' });
    assert.deepEqual(named.strategy, { kind: 'regional_failover', targetRegion: 'west' });
    const promised = decide('database_failure', facts, {}, { rpoMs: 3_600_000 });
    assert.equal(
      promised.strategy!.kind,
      'regional_failover',
      'what was promised is kept, so the quicker way',
    );
  });

  it('without a standby by a restore at home, and without a place there by a rebuild elsewhere', () => {
    assert.equal(decide('database_failure', found(DEAD)).strategy!.kind, 'local_restore');
    const noPlace = planFacts().regions.map((region) =>
      region.region === 'home' ? { ...region, place: null } : region,
    );
    const elsewhere = decide('database_failure', found(DEAD), {}, { regions: noPlace });
    assert.deepEqual(elsewhere.strategy, { kind: 'full_rebuild', targetRegion: 'west' });
    assert.match(said(elsewhere), /home has no `restore_to`/);
  });
});

describe('an outage of a region', () => {
  it('is answered by a standby of another region, never of that one', () => {
    const facts = found([...DEAD, answered(NEAR, { ...lonely, position: '0/9000' }), answered(WEST, lonely)]);
    assert.deepEqual(decide('region_outage', facts).strategy, {
      kind: 'regional_failover',
      targetRegion: 'west',
    });
    const none = decide('region_outage', found([...DEAD, answered(NEAR, lonely)]));
    assert.deepEqual(none.strategy, { kind: 'full_rebuild', targetRegion: 'west' });
  });

  it('is not answered by building anew in that very region', () => {
    const onlyHome = planFacts().regions.map((region) =>
      region.region === 'home' ? region : { ...region, place: null },
    );
    const decision = decide('region_outage', found(DEAD), {}, { regions: onlyHome });
    assert.equal(decision.strategy, null);
    assert.match(said(decision), /no other region has a `restore_to`/);
    const breach = decide('security_breach', found(DEAD), { recoverTo: BEFORE }, { regions: onlyHome });
    assert.deepEqual(breach.strategy, { kind: 'full_rebuild', targetRegion: 'home' });
  });

  it('that the primary survived is a switchover, or nothing', () => {
    assert.deepEqual(decide('region_outage', found(ALIVE)).strategy, {
      kind: 'switchover',
      targetRegion: 'west',
    });
    const alone = decide('region_outage', found([answered(HOME, primaryState())]));
    assert.equal(alone.strategy, null);
    assert.match(said(alone), /look at the network between/);
  });
});

describe('damage and intruders', () => {
  it('need an instant, and a word where to find it', () => {
    for (const trigger of ['data_corruption', 'security_breach'] as const) {
      const decision = decide(trigger, found(ALIVE));
      assert.equal(decision.strategy, null);
      assert.match(said(decision), /eventcore diff.*eventcore list.*--at/);
    }
    const later = decide('data_corruption', found(ALIVE), { recoverTo: '2026-11-29T04:00:00Z' });
    assert.match(said(later), /not in the past/);
  });

  it('are answered from backups: damage at home, a breach in another region', () => {
    const wish = { recoverTo: BEFORE };
    assert.deepEqual(decide('data_corruption', found(ALIVE), wish).strategy, { kind: 'local_restore' });
    const breach = decide('security_breach', found(ALIVE), wish);
    assert.deepEqual(breach.strategy, { kind: 'full_rebuild', targetRegion: 'west' });
    assert.match(said(breach), /new credentials/);
  });

  it('never end in a promotion, whatever is found and whatever is asked for', () => {
    fc.assert(
      fc.property(
        anyFacts,
        fc.constantFrom('data_corruption' as const, 'security_breach' as const),
        fc.option(fc.constantFrom(...STRATEGY_KINDS)),
        fc.option(fc.constantFrom('home', 'west', 'east', 'nowhere')),
        fc.option(fc.constant(BEFORE)),
        (facts, trigger, strategy, region, recoverTo) => {
          const decision = decide(trigger, facts, { strategy, region, recoverTo });
          assert.ok(!['regional_failover', 'switchover'].includes(decision.strategy?.kind ?? ''));
          if (decision.strategy !== null) assert.equal(decision.candidate, null);
        },
      ),
      { numRuns: 1000 },
    );
    for (const state of ['alive', 'dead', 'disputed', 'doubled', 'unknown'] as const) {
      for (const trigger of ['data_corruption', 'security_breach'] as const) {
        const { tries, onDemand } = cellOf(trigger, state);
        for (const way of [...tries, ...onDemand]) assert.match(WAYS[way], /local_restore|full_rebuild/);
      }
    }
  });
});

describe('whoever decides', () => {
  it('may name a region and a strategy that are open', () => {
    assert.deepEqual(decide('manual_trigger', found(ALIVE), { region: 'west' }).strategy, {
      ...{ kind: 'switchover', targetRegion: 'west' },
    });
    const restore = decide('manual_trigger', found(ALIVE), { strategy: 'full_rebuild', region: 'east' });
    assert.deepEqual(restore.strategy, { kind: 'full_rebuild', targetRegion: 'east' });
    assert.match(
      said(decide('manual_trigger', found(ALIVE), { region: 'east' })),
      /no standby in east could be asked/,
    );
  });

  it('may not name one that the table forbids', () => {
    const failover = decide('region_outage', found(ALIVE), { strategy: 'regional_failover' });
    assert.match(
      said(failover),
      /regional_failover is no answer to region_outage while the primary is alive\nopen are: switchover/,
    );
    const promote = decide('data_corruption', found(ALIVE), { strategy: 'switchover', recoverTo: BEFORE });
    assert.equal(promote.strategy, null);
    assert.match(said(promote), /open are: local_restore, full_rebuild/);
  });

  it('may not send a standby back in time, but a restore', () => {
    const back = { recoverTo: BEFORE };
    const restore = decide('database_failure', found([...DEAD, answered(NEAR, lonely)]), back);
    assert.deepEqual(restore.strategy, { kind: 'local_restore' });
    assert.match(said(restore), /a standby cannot go back to an instant/);
    const no = decide('region_outage', found(ALIVE), back);
    assert.match(said(no), /cannot go back to an instant/);
    const named = decide('database_failure', found(DEAD), { ...back, strategy: 'regional_failover' });
    assert.equal(named.strategy, null);
  });

  it('is told that two primaries are for people to judge', () => {
    const two = found([answered(HOME, primaryState()), answered(WEST, primaryState({ timeline: 2 }))]);
    for (const trigger of ['database_failure', 'region_outage', 'manual_trigger'] as const) {
      const decision = decide(trigger, two);
      assert.equal(decision.strategy, null);
      assert.match(said(decision), /stop all but one/);
    }
  });
});

it('every trigger and finding gives a strategy with reasons, or a refusal with a way out', () => {
  fc.assert(
    fc.property(
      anyFacts,
      fc.constantFrom(...DISASTER_TRIGGERS),
      fc.option(fc.constantFrom(...STRATEGY_KINDS)),
      fc.option(fc.constantFrom('home', 'west', 'east', 'nowhere')),
      fc.option(fc.constantFrom(BEFORE, 'yesterday')),
      (facts, trigger, strategy, region, recoverTo) => {
        const decision = decide(trigger, facts, { strategy, region, recoverTo });
        assert.ok(decision.reasons.length > 0 && decision.reasons.every((reason) => reason.length > 0));
        if (decision.strategy === null) {
          assert.ok(decision.refusal.length > 0 && decision.hint.length > 20);
          return;
        }
        const { kind } = decision.strategy;
        if (strategy !== null) assert.equal(kind, strategy);
        if (region !== null && kind !== 'local_restore') assert.equal(decision.strategy.targetRegion, region);
        const { state } = assess(facts).primary;
        if (kind === 'switchover') assert.equal(state, 'alive');
        if (kind === 'regional_failover') assert.ok(state === 'dead' || state === 'disputed');
        assert.equal(decision.candidate === null, kind === 'local_restore' || kind === 'full_rebuild');
        assert.deepEqual(decision.candidate?.refusals ?? [], []);
      },
    ),
    { numRuns: 2000 },
  );
});
