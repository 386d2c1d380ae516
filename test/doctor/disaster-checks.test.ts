import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Candidate, DisasterAssessment, ServerState } from '../../src/core/disaster.ts';
import { BackupError } from '../../src/core/errors.ts';
import {
  checkFences,
  checkGuard,
  checkName,
  checkPlaces,
  checkPrimary,
  checkSamples,
  checkSources,
  checkStandbys,
  checkVantages,
  type FenceFact,
} from '../../src/doctor/disaster-checks.ts';

const fence = (changes: Partial<FenceFact> = {}): FenceFact => ({
  ...{ describe: 'run ./off', state: 'open', reason: null, isOwn: false },
  ...changes,
});

const OWN = fence({ describe: 'a shuts its door', isOwn: true });

describe('fences', () => {
  const verdictOf = (...fences: FenceFact[]) => checkFences([{ server: 'a', fences }]).verdict;

  it('are good where each server has one that goes around it and answers', () => {
    assert.equal(verdictOf(fence(), OWN), 'good');
    // A dead server's own door does not matter.
    assert.equal(verdictOf(fence(), { ...OWN, state: 'unknown' }), 'good');
  });

  it('are worth a look where a server has only its own, or stands behind one', () => {
    assert.equal(verdictOf(OWN), 'warn');
    assert.equal(verdictOf(), 'warn');
    assert.equal(verdictOf(fence({ state: 'fenced' }), OWN), 'warn');
  });

  it('are bad where one that goes around it cannot say whether it holds', () => {
    const check = checkFences([
      { server: 'a', fences: [fence()] },
      { server: 'b', fences: [fence({ state: 'unknown', reason: 'no route' })] },
    ]);
    assert.deepEqual([check.verdict, check.code], ['bad', 'fence_failed']);
    assert.match(check.message, /^b: .*no route/);
  });
});

describe('the public name', () => {
  const fact = { describe: 'the record', value: 'a.', wanted: 'a.', isWritable: true, failure: null };

  it('is good where it leads to the primary and a change is taken', () => {
    assert.equal(checkName(fact).verdict, 'good');
    assert.equal(checkName({ ...fact, wanted: null }).verdict, 'good');
    assert.equal(checkName(null).verdict, 'skipped');
  });

  it('is worth a look where it leads elsewhere or nowhere', () => {
    assert.equal(checkName({ ...fact, value: 'b.' }).verdict, 'warn');
    assert.equal(checkName({ ...fact, value: null }).verdict, 'warn');
  });

  it('is bad as the key is', () => {
    const failure = new BackupError('name_refused', 'BADSIG', { hint: 'the key is another' });
    assert.deepEqual(
      [checkName({ ...fact, failure }).code, checkName({ ...fact, failure }).hint],
      ['name_refused', 'the key is another'],
    );
  });
});

const STATE = { role: 'standby' } as ServerState;

const candidate = (changes: Partial<Candidate> = {}): Candidate => ({
  ...{ region: 'west', server: 'b', state: STATE, behindBytes: '0', refusals: [] },
  ...changes,
});

function assessment(changes: Partial<DisasterAssessment> = {}): DisasterAssessment {
  return {
    assessedAt: '2026-11-29T20:00:00.000Z',
    ...{ primaryDbAccessible: true, backupAccessible: true, replicaRegions: {} },
    estimatedDataLoss: { bytes: '0', events: 0, timeMs: 0, sampleAgeMs: 1000, basis: 'samples' },
    primary: {
      ...{ state: 'alive', region: 'east', server: 'a', systemIdentifier: '7', timeline: 1 },
      ...{ lastPosition: '0/1', reasons: ['it answers'] },
    },
    ...{ candidates: [candidate()], vaults: [], observations: [], warnings: [] },
    ...changes,
  };
}

describe('standbys', () => {
  it('are good where one in another region could take over', () => {
    assert.equal(checkStandbys(assessment()).verdict, 'good');
  });

  it('are worth a look where none could, one could not, or none is elsewhere', () => {
    for (const candidates of [
      [],
      [candidate({ refusals: ['replay is paused'] })],
      [candidate(), candidate({ server: 'c', refusals: ['another system'] })],
      [candidate({ region: 'east' })],
    ]) {
      assert.equal(checkStandbys(assessment({ candidates })).verdict, 'warn', JSON.stringify(candidates));
    }
  });
});

describe('the primary', () => {
  it('is bad unless it is alive, and two of them are damage', () => {
    const { primary } = assessment();
    assert.equal(checkPrimary(primary).verdict, 'good');
    assert.equal(checkPrimary({ ...primary, state: 'doubled' }).code, 'store_diverged');
    for (const state of ['dead', 'disputed', 'unknown'] as const) {
      assert.equal(checkPrimary({ ...primary, state }).code, 'store_unreachable');
    }
  });
});

describe('samples', () => {
  const aged = (sampleAgeMs: number | null) => {
    const { estimatedDataLoss } = assessment();
    return assessment({ estimatedDataLoss: { ...estimatedDataLoss, sampleAgeMs } });
  };

  it('are good while they are fresh', () => {
    assert.equal(checkSamples(aged(5000), 12).verdict, 'good');
  });

  it('are worth a look when there are none, or old ones', () => {
    assert.equal(checkSamples(aged(null), 0).verdict, 'warn');
    assert.equal(checkSamples(aged(600_000), 12).verdict, 'warn');
  });

  it('are not asked for where nobody is a primary', () => {
    const { primary } = assessment();
    assert.equal(checkSamples(assessment({ primary: { ...primary, state: 'dead' } }), 0).verdict, 'skipped');
  });
});

describe('places, guard, vantage points and vaults', () => {
  it('say what is missing', () => {
    const place = { region: 'west', place: 'postgres://p@spare/events', refusal: null };
    assert.equal(checkPlaces([]).verdict, 'warn');
    assert.equal(checkPlaces([place]).verdict, 'good');
    assert.equal(checkPlaces([place, { ...place, refusal: 'it holds events' }]).code, 'target_not_empty');

    const guard = { vault: 's3://third', ttlMs: 30_000, renewedAgoMs: 9000 };
    assert.equal(checkGuard(null).verdict, 'skipped');
    assert.equal(checkGuard(guard).verdict, 'good');
    assert.equal(checkGuard({ ...guard, renewedAgoMs: 31_000 }).verdict, 'bad');
    assert.equal(checkGuard({ ...guard, renewedAgoMs: null }).verdict, 'bad');

    assert.equal(checkVantages([]).verdict, 'warn');
    assert.equal(checkVantages(['office']).verdict, 'good');

    const vault = {
      ...{ region: 'east', vault: 's3://east', isReadable: true, reason: null, isArchive: false },
      ...{ newestPoint: '2026-11-29T20:00:00Z', backups: 1 },
    };
    assert.equal(checkSources(assessment({ vaults: [vault] })).verdict, 'good');
    assert.equal(checkSources(assessment({ vaults: [{ ...vault, newestPoint: null }] })).verdict, 'warn');
    const cold = { ...vault, newestPoint: null, isArchive: true };
    assert.equal(checkSources(assessment({ vaults: [cold] })).verdict, 'good');
    assert.equal(
      checkSources(assessment({ vaults: [{ ...vault, isReadable: false }] })).code,
      'vault_unreachable',
    );
  });
});
