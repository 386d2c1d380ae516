import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { DisasterAssessment, Observation } from '../../src/core/disaster.ts';
import { assess } from '../../src/disaster/assess.ts';
import { HEARD_BOUND_MS } from '../../src/disaster/opinions.ts';
import {
  answered,
  anyFacts,
  EAST,
  found,
  HOME,
  NEAR,
  primaryState,
  record,
  SYSTEM,
  sampleAt,
  silent,
  standbyState,
  vault,
  WEST,
} from './scene.ts';

const cutOff = standbyState({ upstream: { heardAgoMs: HEARD_BOUND_MS + 1, host: 'db-1.home', port: 5432 } });

function primaryOf(observations: readonly Observation[]): DisasterAssessment['primary'] {
  return assess(found(observations)).primary;
}

describe('a primary', () => {
  it('that answers all is alive', () => {
    const { primary, ...rest } = assess(
      found([
        answered(HOME, primaryState()),
        answered(HOME, primaryState(), 'west'),
        answered(WEST, standbyState()),
      ]),
    );
    assert.equal(primary.state, 'alive');
    assert.deepEqual(
      [primary.server, primary.region, primary.systemIdentifier, primary.timeline, primary.lastPosition],
      [HOME, 'home', SYSTEM, 1, '0/5000'],
    );
    assert.ok(rest.primaryDbAccessible && rest.backupAccessible);
    assert.deepEqual(rest.replicaRegions, { home: false, west: true });
  });

  it('that nobody reaches from two places is dead, and its place is known from samples', () => {
    const { primary, primaryDbAccessible } = assess(
      found([silent(HOME), silent(HOME, 'timed_out', 'west'), answered(WEST, cutOff)]),
    );
    assert.equal(primary.state, 'dead');
    assert.deepEqual([primary.server, primary.lastPosition, primary.timeline], [HOME, '0/5000', 1]);
    assert.equal(primaryDbAccessible, false);
    assert.match(
      primary.reasons.join('\n'),
      /was the primary at .*\n.*here: .* is not reached.*\n.*says nothing within 2000 ms/,
    );
  });

  it('that nobody but one place looked at is disputed, and that is said', () => {
    const { primary, warnings } = assess(found([silent(HOME)]));
    assert.equal(primary.state, 'disputed');
    assert.match(primary.reasons.join(), /one opinion/);
    assert.match(warnings.join(), /one vantage point only/);
  });

  it('that a standby does not hear either has two against it, though servers were asked from one place', () => {
    assert.equal(primaryOf([silent(HOME), answered(WEST, cutOff)]).state, 'dead');
    assert.equal(primaryOf([silent(HOME), answered(WEST, standbyState({ upstream: null }))]).state, 'dead');
  });

  it('that a standby has just heard is not dead', () => {
    const primary = primaryOf([
      silent(HOME),
      silent(HOME, 'timed_out', 'east'),
      answered(WEST, standbyState()),
    ]);
    assert.equal(primary.state, 'disputed');
    assert.match(primary.reasons.join(), /receiver heard .* 1 s ago/);
  });

  it('that is heard under a name that is in no configuration counts as heard, and another standby does not', () => {
    const by = (host: string): Observation =>
      answered(WEST, standbyState({ upstream: { heardAgoMs: 10, host, port: 5432 } }));
    const others = [silent(HOME), silent(HOME, 'unreachable', 'east')];
    assert.equal(primaryOf([...others, by('10.0.0.7')]).state, 'disputed');
    assert.equal(primaryOf([...others, by('db-1.east'), silent(EAST)]).state, 'dead');
  });

  it('is heard as whoever observed has told, and by the receiver where that knows it to be later', () => {
    const quiet = standbyState({ upstream: { heardAgoMs: 20_000, host: '::1', port: 5499 } });
    const others = [silent(HOME), silent(HOME, 'timed_out', 'east'), answered(WEST, quiet)];
    const told = (server: string): Observation => silent(server, 'timed_out', WEST);
    assert.equal(primaryOf([...others, told(HOME)]).state, 'disputed', 'twenty seconds of silence are usual');
    assert.equal(primaryOf([...others, silent(EAST), told(EAST)]).state, 'dead', 'it hears somebody else');
    const alive = [answered(HOME, primaryState()), answered(WEST, cutOff), told(HOME)];
    assert.equal(primaryOf(alive).state, 'alive', 'a standby that is cut off does not make it dead');
  });

  it('that one reaches and another does not is disputed', () => {
    const west = [silent(HOME, 'timed_out', 'west'), answered(WEST, standbyState(), 'west')];
    assert.equal(primaryOf([answered(HOME, primaryState()), ...west]).state, 'disputed');
  });

  it('is not disputed by who sees nothing at all', () => {
    const blind = [silent(HOME, 'timed_out', 'west'), silent(WEST, 'timed_out', 'west')];
    const { primary, warnings } = assess(found([answered(HOME, primaryState()), silent(WEST), ...blind]));
    assert.equal(primary.state, 'alive');
    assert.match(warnings.join(), /west reaches no server at all/);
  });

  it('is disputed by who does not see the only server there is: who of the two is cut off, nobody knows', () => {
    assert.equal(
      primaryOf([answered(HOME, primaryState()), silent(HOME, 'timed_out', 'west')]).state,
      'disputed',
    );
  });

  it('that lets nobody in is not dead', () => {
    const primary = primaryOf([
      silent(HOME, 'refused'),
      silent(HOME, 'refused', 'west'),
      answered(WEST, cutOff),
    ]);
    assert.equal(primary.state, 'disputed');
    assert.match(primary.reasons.join(), /lets nobody in, which is not dead|not all say the same/);
  });

  it('behind a fence is alive, and writes nothing', () => {
    const { primary, primaryDbAccessible } = assess(
      found([answered(HOME, primaryState({ isFenced: true })), answered(WEST, standbyState())]),
    );
    assert.equal(primary.state, 'alive');
    assert.equal(primaryDbAccessible, false);
    assert.match(primary.reasons.join(), /behind a fence/);
  });

  it('beside another that takes writes is doubled', () => {
    const { primary, warnings } = assess(
      found([answered(HOME, primaryState()), answered(WEST, primaryState({ timeline: 2 }))]),
    );
    assert.equal(primary.state, 'doubled');
    assert.equal(primary.server, WEST, 'of the two, the newest timeline counts');
    assert.match(warnings.join(), /takes writes as well/);
  });

  it('that was left behind and comes back is told from the real one, also where that is out of reach', () => {
    const back = answered(HOME, primaryState());
    for (const others of [[answered(WEST, primaryState({ timeline: 2 }))], [silent(WEST)]]) {
      const { primary, warnings } = assess(found([back, ...others], { newestPrimary: record() }));
      assert.equal(primary.state, 'doubled');
      assert.equal(primary.server, WEST);
      assert.match(warnings.join(), /old primary that came back and takes writes/);
    }
    const rebuilt = record({ systemIdentifier: '9', timeline: 1 });
    assert.equal(assess(found([back, silent(WEST)], { newestPrimary: rebuilt })).primary.state, 'doubled');
    const fenced = answered(HOME, primaryState({ isFenced: true }));
    const after = assess(
      found([fenced, answered(WEST, primaryState({ timeline: 2 }))], { newestPrimary: record() }),
    );
    assert.equal(after.primary.state, 'alive');
    assert.match(after.warnings.join(), /old primary behind a fence: salvage and rejoin/);
  });

  it('that nobody can name is unknown', () => {
    const { primary } = assess(found([silent(HOME), silent(WEST)], { samples: [] }));
    assert.equal(primary.state, 'unknown');
    assert.equal(primary.server, null);
  });

  it('is known from the record, from whom standbys follow, or since all others are standbys', () => {
    const none = { samples: [] };
    const recorded = assess(found([silent(HOME), silent(WEST)], { ...none, newestPrimary: record() }));
    assert.equal(recorded.primary.server, WEST);
    const followed = assess(found([silent(HOME), silent(EAST), answered(WEST, cutOff)], none));
    assert.equal(followed.primary.server, HOME);
    assert.equal(followed.primary.systemIdentifier, SYSTEM);
    assert.equal(followed.primary.timeline, followed.candidates[0]!.state.timeline);
    const lonely = standbyState({ upstream: null });
    assert.equal(assess(found([silent(HOME), answered(WEST, lonely)], none)).primary.server, HOME);
  });

  it('is who was sampled after the last recovery, not who was recorded before', () => {
    const sampled = assess(found([silent(HOME), silent(WEST)], { newestPrimary: record() }));
    assert.equal(sampled.primary.server, HOME);
    const before = record({ recordedAt: '2026-11-29T02:59:59.000Z' });
    assert.equal(assess(found([silent(HOME), silent(WEST)], { newestPrimary: before })).primary.server, WEST);
  });
});

describe('an assessment warns', () => {
  const warningsOf = (...args: Parameters<typeof found>): string =>
    assess(found(...args)).warnings.join('\n');

  it('of clocks apart, and of ids that consumers would pass over', () => {
    const slow = answered(WEST, standbyState({ clockAheadMs: -600_000 }));
    assert.match(warningsOf([answered(HOME, primaryState()), slow]), /600\.0 s behind: new events .*UUIDv7/);
    const fast = answered(WEST, standbyState({ clockAheadMs: 600_000 }));
    assert.match(warningsOf([answered(HOME, primaryState()), fast]), /600\.0 s ahead/);
    const both = answered(HOME, primaryState({ clockAheadMs: -600_000 }));
    assert.doesNotMatch(warningsOf([both, slow]), /UUIDv7/);
  });

  it('of a recovery that went to where nobody asks', () => {
    const elsewhere = { newestPrimary: record({ server: 'postgres://dr@clean.west:5432/shop' }) };
    assert.match(warningsOf([silent(HOME)], elsewhere), /clean.west.* is no server of the configuration/);
  });

  it('of standbys that could not be asked, of samples that are old or missing, and of vaults', () => {
    assert.match(
      warningsOf([silent(HOME), silent(NEAR), answered(WEST, cutOff)]),
      /db-2.home.* may have more/,
    );
    assert.match(warningsOf([silent(HOME), answered(WEST, cutOff)], { samples: [] }), /no samples/);
    assert.match(warningsOf([silent(HOME)], { samples: [sampleAt(600, '0/5000', null)] }), /10min old/);
    const shut = [vault('west', { isReadable: false, newestPoint: null, reason: 'no route' })];
    assert.match(
      warningsOf([silent(HOME)], { vaults: shut }),
      /s3:\/\/west in west cannot be read: no route/,
    );
    assert.equal(assess(found([silent(HOME)], { vaults: shut })).backupAccessible, false);
  });
});

it('whatever is found, the assessment holds together', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const { primary, candidates, primaryDbAccessible, estimatedDataLoss } = assess(facts);
      if (primary.state !== 'doubled') assert.equal(primary.server === null, primary.state === 'unknown');
      assert.ok(
        candidates.every(({ state, server }) => state.role === 'standby' && server !== primary.server),
      );
      assert.ok(primary.reasons.length > 0);
      if (primary.state === 'dead') {
        const direct = facts.observations.filter(({ server }) => server === primary.server);
        assert.ok(direct.every(({ outcome }) => outcome === 'unreachable' || outcome === 'timed_out'));
      }
      if (primary.state === 'doubled') assert.ok(primaryDbAccessible);
      assert.notEqual(estimatedDataLoss.events, Number.NaN);
    }),
    { numRuns: 500 },
  );
});
