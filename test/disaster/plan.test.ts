import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  DISASTER_TRIGGERS,
  type DisasterTrigger,
  RECOVERY_STEPS,
  type RecoveryPlan,
  type RecoveryStep,
  STRATEGY_KINDS,
} from '../../src/core/disaster.ts';
import { isBackupError } from '../../src/core/errors.ts';
import { assess } from '../../src/disaster/assess.ts';
import { makePlan, PLAN_BOUND_MS, whyOutdated } from '../../src/disaster/plan.ts';
import type { StrategyWish } from '../../src/disaster/strategy.ts';
import { decodePlan, encodePlan } from '../../src/format/disaster-plan.ts';
import {
  ALIVE,
  answered,
  anyFacts,
  BEFORE,
  DEAD,
  EAST,
  found,
  HOME,
  lonely,
  NOW,
  planFacts,
  primaryState,
  sampleAt,
  silent,
  vault,
  WEST,
} from './scene.ts';

const PLAN_ID = '0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a';

function plan(
  trigger: DisasterTrigger,
  facts: ReturnType<typeof found>,
  wish: Partial<StrategyWish> = {},
  changes: Parameters<typeof planFacts>[0] = {},
): RecoveryPlan {
  return makePlan({
    ...{ planId: PLAN_ID, trigger, assessment: assess(facts) },
    wish: { strategy: null, region: null, recoverTo: null, ...wish },
    facts: planFacts({ samples: facts.samples, regions: regionsOf(facts), ...changes }),
  });
}

/** Who is configured is asked. */
function regionsOf({ servers }: ReturnType<typeof found>): ReturnType<typeof planFacts>['regions'] {
  return planFacts().regions.map((region) => ({
    ...region,
    servers: servers.filter((one) => one.region === region.region).map(({ server }) => server),
  }));
}

const risksOf = (made: RecoveryPlan): string => made.risks.map(({ risk }) => risk).join();
const stepOf = (made: RecoveryPlan, name: RecoveryStep) => made.steps.find(({ step }) => step === name)!;

describe('a plan of a failover', () => {
  const made = plan('region_outage', found([...DEAD, answered(WEST, lonely)]));

  it('says whom it fences and how, who would take over, and where the journal is', () => {
    assert.deepEqual(made.target, { region: 'west', server: null });
    assert.equal(made.journalVault, 's3://west');
    assert.deepEqual(made.vaults, ['s3://east', 's3://home', 's3://west']);
    assert.match(
      stepOf(made, 'fence').text,
      /^postgres:\/\/dr@db-1.home.*, and whatever else answers .*\(power off, its own pg_hba/,
    );
    assert.match(stepOf(made, 'choose').text, /as things are, postgres:\/\/dr@db-1.west/);
    assert.match(stepOf(made, 'salvage').text, /adds nothing by itself/);
    assert.deepEqual(stepOf(made, 'restore'), {
      ...{ step: 'restore', does: false, text: 'a standby takes over, nothing is restored' },
    });
  });

  it('is written and read as it is', () => {
    assert.deepEqual(decodePlan(encodePlan(made, null)), made);
  });

  it('asks for what must be accepted: losses, an old primary that cannot be fenced, a minority', () => {
    assert.equal(risksOf(made), '', 'all of a fresh sample is there, and a fence from outside');
    const behind = [...DEAD, answered(WEST, { ...lonely, position: '0/4800' })];
    // 2048 bytes are lacking, and 4096 more may have come in the five seconds since.
    const bounded = (maxLossBytes: bigint | null): RecoveryPlan =>
      plan('region_outage', found(behind), {}, { maxLossBytes });
    assert.match(bounded(2047n).risks[0]!.text, /more is lost than may be \(2047 bytes\)/);
    assert.match(bounded(6143n).risks[0]!.text, /more may be lost than may be .*4096 came since/);
    assert.equal(risksOf(bounded(6144n)), '');
    assert.equal(risksOf(bounded(null)), '');
    const at = [...DEAD, answered(WEST, lonely)];
    assert.match(plan('region_outage', found(at, { samples: [] })).risks[0]!.text, /nobody knows how much/);
    const strict = plan('region_outage', found(at), {}, { maxLossBytes: 0n });
    assert.equal(risksOf(strict), 'data_loss', 'all of the newest sample is not all that was written');
    const once = found(at, { samples: [sampleAt(5, '0/5000', 1)] });
    assert.match(plan('region_outage', once).risks[0]!.text, /nobody knows how many came since/);
    const old = found(at, { samples: [sampleAt(601, '0/5000', 1), sampleAt(600, '0/5000', 1)] });
    assert.match(plan('region_outage', old).risks[0]!.text, /too old to rely on/);
    const hidden = plan('region_outage', found([...at, silent(EAST)]));
    assert.match(hidden.risks[0]!.text, /db-1.east.* may have more than/);
    assert.equal(risksOf(plan('region_outage', found(at), {}, { fences: {} })), 'split_brain');
    const vaults = [vault('west'), vault('home', { isReadable: false })];
    assert.equal(risksOf(plan('region_outage', found(at, { vaults }))), 'minority');
    const two = regionsOf(found(at)).slice(0, 2);
    const half = plan('region_outage', found(at, { vaults }), {}, { regions: two });
    assert.equal(risksOf(half), 'minority', 'half of them is no majority');
  });
});

it('a switchover asks for nothing, and salvages nothing', () => {
  const made = plan('manual_trigger', found(ALIVE));
  assert.equal(risksOf(made), '');
  assert.deepEqual([stepOf(made, 'salvage').does, stepOf(made, 'rejoin').does], [false, true]);
});

it('a plan of a restore to an instant says what it leaves out', () => {
  const made = plan('security_breach', found(ALIVE), { recoverTo: BEFORE });
  assert.deepEqual(made.target, { region: 'west', server: 'postgres://dr@clean.west:5432/shop' });
  assert.match(made.risks[0]!.text, new RegExp(`what was written after ${BEFORE}`));
  assert.deepEqual([stepOf(made, 'drain').does, stepOf(made, 'release').does], [false, false]);
  assert.match(stepOf(made, 'restore').text, new RegExp(`clean.west.* up to ${BEFORE}`));
  const back = plan('database_failure', found(DEAD), { recoverTo: BEFORE });
  assert.equal(stepOf(back, 'drain').does, false);
});

it('what is not configured is left out, with a word', () => {
  const nothing = { publicName: null, hasMigrate: false, hasNotifiers: false, rejoins: [] };
  const made = plan('region_outage', found([...DEAD, answered(WEST, lonely)]), {}, nothing);
  const left = made.steps.filter(({ does }) => !does).map(({ step }) => step);
  assert.deepEqual(left, ['restore', 'migrate', 'switch_name', 'verify_public', 'notify', 'rejoin']);
  assert.match(stepOf(made, 'verify_public').text, /lead applications to the new place by hand/);
});

it('without a vault that can be read there is no plan', () => {
  const facts = found([...DEAD, answered(WEST, lonely)], { vaults: [] });
  assert.throws(() => plan('region_outage', facts), {
    code: 'recovery_refused',
    message: /nothing could be written down/,
  });
});

describe('a plan is void', () => {
  const facts = found([...DEAD, answered(WEST, lonely)]);
  const made = plan('region_outage', facts);
  const why = (changed: typeof facts, ms = 1000): string =>
    whyOutdated(made, assess(changed), NOW + ms).join('\n');

  it('after an hour, and not before while nothing changes', () => {
    assert.equal(why(facts, PLAN_BOUND_MS), '');
    assert.match(why(facts, PLAN_BOUND_MS + 1), /is 1h old/);
    assert.match(why(facts, -PLAN_BOUND_MS - 1), /not yet by this host's clock/);
  });

  it('when the primary answers, is another one, or has a new timeline', () => {
    assert.match(why(found(ALIVE)), /answers now/);
    const other = found([
      silent(HOME),
      answered(EAST, primaryState({ timeline: 2 })),
      answered(WEST, lonely),
    ]);
    assert.match(why(other), /the primary is .*db-1.east.*, and was .*db-1.home/);
    const newer = found([answered(HOME, primaryState({ timeline: 2 })), answered(WEST, lonely)]);
    assert.match(why(newer), /on timeline 2, and was on 1/);
  });

  it('when nobody may take over any longer, or another has more', () => {
    const paused = found([...DEAD, answered(WEST, { ...lonely, isReplayPaused: true })]);
    assert.match(why(paused), /no standby in west may take over/);
    const ahead = found([...DEAD, answered(WEST, lonely), answered(EAST, { ...lonely, position: '0/5001' })]);
    assert.match(why(ahead), /db-1.east.* has more than all in west/);
  });

  it('when the vault of its journal is out of reach', () => {
    const vaults = [vault('home'), vault('west', { isReadable: false })];
    assert.match(
      why(found([...DEAD, answered(WEST, lonely)], { vaults })),
      /the journal is to be kept there/,
    );
  });

  it('of a switchover when the primary is not alive any longer; of a restore for corruption not when it is', () => {
    const handOver = plan('manual_trigger', found(ALIVE));
    assert.match(whyOutdated(handOver, assess(facts), NOW).join(), /only one that is alive hands over/);
    const restore = plan('data_corruption', facts, { recoverTo: BEFORE });
    assert.deepEqual(whyOutdated(restore, assess(found(ALIVE)), NOW), []);
  });
});

it('whatever is found: nobody is promoted who was not chosen behind a fence, and steps keep their order', () => {
  let plans = 0;
  fc.assert(
    fc.property(
      anyFacts,
      fc.constantFrom(...DISASTER_TRIGGERS),
      fc.option(fc.constantFrom(...STRATEGY_KINDS)),
      fc.option(fc.constantFrom('home', 'west', 'east')),
      fc.option(fc.constant(BEFORE)),
      (facts, trigger, strategy, region, recoverTo) => {
        const made = attempt(() => plan(trigger, facts, { strategy, region, recoverTo }));
        if (made === null) return;
        plans += 1;
        assert.deepEqual(
          made.steps.map(({ step }) => step),
          RECOVERY_STEPS,
        );
        const done = made.steps.filter(({ does }) => does).map(({ step }) => step);
        const at = (step: RecoveryStep): number => done.indexOf(step);
        for (const step of ['promote', 'restore', 'switch_name'] as const)
          if (at(step) >= 0) assert.ok(at('fence') >= 0 && at('fence') < at(step));
        assert.equal(at('promote') >= 0, at('choose') >= 0);
        assert.ok(at('promote') >= 0 !== at('restore') >= 0, 'one of the two brings the events');
        assert.ok(at('check') > at('promote') && at('check') > at('restore'));
        assert.ok(at('salvage') < 0 || at('rejoin') < 0 || at('salvage') < at('rejoin'));
        assert.ok(made.vaults.includes(made.journalVault));
        assert.deepEqual(decodePlan(encodePlan(made, null)), made);
        assert.deepEqual(whyOutdated(made, assess(facts), NOW), []);
      },
    ),
    { numRuns: 2000 },
  );
  assert.ok(plans > 100, `${plans} plans`);
});

function attempt(make: () => RecoveryPlan): RecoveryPlan | null {
  try {
    return make();
  } catch (error) {
    if (!isBackupError(error, 'recovery_refused')) throw error;
    assert.ok(error.hint !== null && error.hint.length > 20);
    return null;
  }
}
