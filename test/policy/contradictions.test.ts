import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RegionPolicy, ReplicaRegion } from '../../src/core/region-policy.ts';
import type { RetentionRule } from '../../src/core/retention-rule.ts';
import { archiveSources } from '../../src/policy/archive-sources.ts';
import { findContradictions, longestKeptMs } from '../../src/policy/contradictions.ts';
import { DAY_MS } from '../../src/policy/duration.ts';

const NOW = Date.parse('2026-11-29T14:00:00Z');
const HOUR_MS = DAY_MS / 24;

function days(count: number): RetentionRule {
  return { withinMs: count * DAY_MS };
}

function every(cron: string, timeZone = 'UTC') {
  return { cron, timeZone };
}

function replica(changes: Partial<ReplicaRegion> = {}): ReplicaRegion {
  const base = { region: 'us-west-2', storage: 'file:/west', syncSchedule: every('0 1 * * *') };
  return { ...base, retention: days(120), ...changes };
}

/** One in which nothing contradicts. */
function policy(changes: Partial<RegionPolicy> = {}): RegionPolicy {
  return {
    primary: {
      ...{ region: 'us-east-1', storage: 'file:/east', retention: days(120) },
      schedule: every('0 */6 * * *'),
    },
    replicas: [replica()],
    archive: { region: 'archive', storage: 'file:/archive', retention: days(2555), afterDays: 90 },
    ...changes,
  };
}

function primary(changes: Partial<RegionPolicy['primary']>): RegionPolicy['primary'] {
  return { ...policy().primary, ...changes };
}

function archive(changes: Partial<NonNullable<RegionPolicy['archive']>>): RegionPolicy['archive'] {
  return { ...policy().archive!, ...changes };
}

function found(changes: Partial<RegionPolicy>): string[] {
  return findContradictions(policy(changes), NOW).map(({ level, code }) => `${level} ${code}`);
}

function message(changes: Partial<RegionPolicy>): string {
  const [only, ...rest] = findContradictions(policy(changes), NOW);
  assert.deepEqual(rest, []);
  return only!.message;
}

describe('a policy', () => {
  it('in which all fits together has nothing found in it', () => {
    assert.deepEqual(found({}), []);
    assert.deepEqual(found({ replicas: [], archive: null, primary: primary({ schedule: null }) }), []);
    assert.deepEqual(found({ objectives: { rpoMs: 6 * HOUR_MS, regionRpoMs: 30 * HOUR_MS } }), []);
  });

  it('with two regions of one name is refused', () => {
    assert.deepEqual(found({ archive: archive({ region: 'us-west-2' }) }), ['error region_twice']);
  });

  it('with two regions in one place, or one inside the other, is refused', () => {
    const places: [string, string, RegExp | null][] = [
      ['file:/east', 'file:/east/', /us-west-2 is the same as that of us-east-1/],
      ['file:/east', 'file:/east/copies', /us-west-2 is inside that of us-east-1/],
      ['file:/disk/a', 'file:/disk', /us-west-2 holds that of us-east-1/],
      ['file:/east', 'file:/eastern', null],
      ['s3://bucket/a', 'glacier://bucket/a?region=x', /is the same as/],
      ['s3://bucket', 's3://bucket/a', /is inside/],
      ['s3://bucket/a', 's3://bucket/b', null],
      ['s3://bucket', 's3://bucket?endpoint=http://127.0.0.1:9000', null],
      ['s3://bucket', 'file:/bucket', null],
    ];
    for (const [east, west, words] of places) {
      const changes = { primary: primary({ storage: east }), replicas: [replica({ storage: west })] };
      if (words === null) assert.deepEqual(found(changes), [], `${east} ${west}`);
      else assert.match(message(changes), words);
    }
  });

  it('that archives what no region has any more is refused, with the numbers', () => {
    const changes = {
      primary: primary({ retention: days(30) }),
      replicas: [replica({ retention: days(60) })],
    };
    assert.deepEqual(found(changes), ['error archive_too_late']);
    assert.match(message(changes), /after_days is 90, but no region keeps.*us-west-2 keeps 60d/);
  });

  it('that archives on the day on which copies expire, as the one of the specification, is warned of', () => {
    const changes = {
      primary: primary({ retention: days(30) }),
      replicas: [replica({ retention: days(90) })],
    };
    assert.deepEqual(found(changes), ['warning archive_on_last_day']);
    assert.match(findContradictions(policy(changes), NOW)[0]!.hint, /as 97d/);
  });

  it('of which only a replica has what is to be archived is sound: it comes from there', () => {
    const changes = { primary: primary({ retention: days(30) }) };
    assert.deepEqual(found(changes), []);
    assert.deepEqual(archiveSources(policy(changes)), ['us-east-1', 'us-west-2']);
    assert.deepEqual(archiveSources(policy({ primary: primary({ retention: days(91) }) })), ['us-east-1']);
    assert.deepEqual(archiveSources(policy({ archive: null })), []);
  });

  it('archives in time where one region keeps for ever', () => {
    assert.deepEqual(found({ replicas: [], primary: primary({ retention: null }) }), []);
  });

  it('whose archive keeps no longer than it takes to get there is refused', () => {
    assert.deepEqual(found({ archive: archive({ retention: days(90) }) }), ['error archive_too_short']);
    assert.deepEqual(found({ archive: archive({ retention: null }) }), []);
  });

  it('whose primary forgets before a sync is refused, daylight saving counted', () => {
    const kept = (hours: number, timeZone: string) =>
      found({
        archive: null,
        primary: primary({ retention: { withinMs: hours * HOUR_MS } }),
        replicas: [replica({ syncSchedule: every('0 1 * * *', timeZone) })],
      });
    assert.deepEqual(kept(23, 'UTC'), ['error expires_before_sync']);
    assert.deepEqual(kept(24, 'UTC'), []);
    assert.deepEqual(kept(24, 'Europe/Berlin'), ['error expires_before_sync']);
  });

  it('whose replica forgets before the next backup comes is warned of', () => {
    const changes = { replicas: [replica({ retention: days(1) })], archive: null };
    assert.deepEqual(found(changes), ['warning replica_runs_empty']);
    assert.match(message(changes), /keeps 1d, but its newest backup can be 30h old/);
  });

  it('that promises to lose less than its schedules give is warned of, with the numbers', () => {
    const soon = { objectives: { rpoMs: 900_000 } };
    assert.match(message(soon), /rpo is 15min, but up to 6h pass/);
    const region = { objectives: { regionRpoMs: DAY_MS } };
    assert.match(message(region), /region_rpo is 1d, but with us-west-2 .*can lose 30h \(6h .* 1d between/);
    assert.match(findContradictions(policy(region), NOW)[0]!.hint, /change log/);
    const less = findContradictions(policy({ objectives: { regionRpoMs: HOUR_MS } }), NOW);
    assert.match(less[0]!.hint, /^sync us-west-2 more often than every 1h/);
  });

  it('counts the replica that is synced most often for the loss of a region', () => {
    const often = replica({ region: 'eu', storage: 'file:/eu', syncSchedule: every('0 * * * *') });
    const changes = { replicas: [replica(), often], objectives: { regionRpoMs: 7 * HOUR_MS } };
    assert.deepEqual(found(changes), []);
  });

  it('whose locks end before or after its retention is warned of', () => {
    const locked = (query: string) =>
      found({ replicas: [replica({ storage: `s3://west/a?${query}`, retention: days(120) })] });
    assert.deepEqual(locked('lock=governance&lockDays=120'), []);
    assert.deepEqual(locked('lock=governance&lockDays=121'), ['warning lock_outlasts_retention']);
    assert.deepEqual(locked('lock=compliance&lockDays=30'), ['warning lock_too_short']);
    assert.deepEqual(locked('lock=governance'), []);
  });

  it('names errors before warnings', () => {
    const both = { objectives: { rpoMs: 1000 }, archive: archive({ region: 'us-east-1' }) };
    assert.deepEqual(found(both), ['error region_twice', 'warning rpo_not_given']);
  });
});

describe('the time after which nothing is kept', () => {
  it('is that of the rule that reaches back furthest', () => {
    const kept = (rule: RetentionRule | null, intervalMs: number | null = 6 * HOUR_MS) =>
      longestKeptMs(rule, intervalMs);
    assert.equal(kept(days(30)), 30 * DAY_MS);
    assert.equal(kept({ ...days(30), monthly: 12, weekly: 4 }), 360 * DAY_MS);
    assert.equal(kept({ last: 8 }), 2 * DAY_MS);
    assert.equal(kept({ last: 8 }, null), null);
    assert.equal(kept(null), Number.POSITIVE_INFINITY);
    assert.equal(kept({ logMs: DAY_MS, minimumRedundancy: 2 }), Number.POSITIVE_INFINITY);
  });
});
