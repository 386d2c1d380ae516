import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Candidate, ServerState } from '../../src/core/disaster.ts';
import { assess } from '../../src/disaster/assess.ts';
import { chooseCandidate, isAhead, judgeAtRest } from '../../src/disaster/candidates.ts';
import { answered, anyFacts, EAST, found, HOME, NEAR, primaryState, standbyState, WEST } from './scene.ts';

function candidatesOf(states: Readonly<Record<string, Partial<ServerState>>>): readonly Candidate[] {
  const standbys = Object.entries(states).map(([server, state]) => answered(server, standbyState(state)));
  return assess(found([answered(HOME, primaryState()), ...standbys])).candidates;
}

const ANY = { region: null, primaryRegion: 'home' };

describe('a standby must not take over', () => {
  const refusalOf = (state: Partial<ServerState>): string =>
    candidatesOf({ [WEST]: state })[0]!.refusals.join();

  it('when it is of another history, behind by a timeline, paused, kept behind, fenced, or says no position', () => {
    assert.equal(refusalOf({}), '');
    assert.match(refusalOf({ systemIdentifier: '1' }), /another history/);
    assert.match(refusalOf({ isReplayPaused: true }), /paused: SELECT pg_wal_replay_resume/);
    assert.match(refusalOf({ applyDelayMs: 3_600_000 }), /3600 s behind on purpose/);
    assert.match(refusalOf({ isFenced: true }), /fence of an earlier run/);
    for (const position of ['0/0', 'nowhere']) assert.match(refusalOf({ position }), /how far it is/);
    const newer = candidatesOf({ [WEST]: { timeline: 1 }, [EAST]: { timeline: 2 } });
    assert.match(
      newer.find(({ server }) => server === WEST)!.refusals.join(),
      /timeline 1, and there is a timeline 2/,
    );
  });

  it('and how much it lacks is not said across timelines, where positions are not on one line', () => {
    const [same, later] = candidatesOf({ [WEST]: { position: '0/4F00' }, [EAST]: { timeline: 2 } });
    assert.deepEqual([same!.behindBytes, later!.behindBytes], ['256', null]);
    assert.equal(candidatesOf({ [WEST]: { systemIdentifier: '1' } })[0]!.behindBytes, null);
  });

  it('at rest, when another has more, or more is lost than may be', () => {
    const candidates = candidatesOf({ [WEST]: { position: '0/4F00' }, [EAST]: { position: '0/4FFF' } });
    const refusals = (maxLossBytes: bigint | null): string[] =>
      judgeAtRest(candidates, { maxLossBytes }).map(({ refusals: own }) => own.join());
    assert.match(refusals(null)[0]!, /db-1.east.* has 255 bytes more/);
    assert.equal(refusals(null)[1], '');
    assert.match(refusals(0n)[1]!, /lacks 1 bytes of the primary's, and 0 may be lost/);
    assert.equal(refusals(1n)[1], '');
    const unknown = [{ ...candidates[1]!, behindBytes: null }];
    assert.match(
      judgeAtRest(unknown, { maxLossBytes: 0n })[0]!.refusals.join(),
      /not known, and a bound is set/,
    );
  });

  it('at rest, when one that may not has more, unless whoever approved accepts the loss', () => {
    const candidates = candidatesOf({ [WEST]: { position: '0/4F00' }, [EAST]: { isReplayPaused: true } });
    assert.match(
      judgeAtRest(candidates, { maxLossBytes: 1n << 40n })[0]!.refusals.join(),
      /has 256 bytes more and may not take over \(its replay is paused/,
    );
    const accepted = judgeAtRest(candidates, { maxLossBytes: null });
    assert.equal(chooseCandidate(accepted, ANY)!.server, WEST);
  });
});

describe('who takes over', () => {
  it('is the most advanced, and of equals the nearest to the primary', () => {
    const behind = candidatesOf({ [NEAR]: { position: '0/4FFF' }, [WEST]: {}, [EAST]: {} });
    assert.equal(chooseCandidate(behind, ANY)!.server, EAST);
    const equal = candidatesOf({ [WEST]: {}, [NEAR]: {}, [EAST]: {} });
    assert.equal(chooseCandidate(equal, ANY)!.server, NEAR);
    assert.equal(chooseCandidate(equal, { region: 'west', primaryRegion: 'home' })!.server, WEST);
    assert.equal(chooseCandidate(equal, { region: 'south', primaryRegion: 'home' }), null);
  });

  it('is never one with a refusal, nor one that another allowed one is ahead of', () => {
    fc.assert(
      fc.property(anyFacts, fc.option(fc.bigInt({ min: 0n, max: 1n << 33n })), (facts, maxLossBytes) => {
        const { candidates } = assess(facts);
        for (const judged of [candidates, judgeAtRest(candidates, { maxLossBytes })]) {
          const chosen = chooseCandidate(judged, ANY);
          const allowed = judged.filter(({ refusals }) => refusals.length === 0);
          assert.equal(chosen === null, allowed.length === 0);
          if (chosen === null) continue;
          assert.deepEqual(chosen.refusals, []);
          assert.ok(allowed.every((other) => !isAhead(other, chosen)));
          if (judged === candidates || maxLossBytes === null) continue;
          // With a bound, at rest: nobody of that history has more, whoever it is.
          assert.ok(candidates.every((other) => !isAhead(other, chosen)));
          assert.ok(BigInt(chosen.behindBytes!) <= maxLossBytes);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
