import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FeedState } from '../../src/core/change-feed.ts';
import type { Obstacle } from '../../src/core/examination.ts';
import { timeFromUnixMs } from '../../src/core/time.ts';
import type { KnownWorker } from '../../src/core/work-queue.ts';
import { bad, exitCodeOf, good, warn } from '../../src/doctor/check.ts';
import { checkLogs, type LogFacts } from '../../src/doctor/log-checks.ts';
import { checkRecoverable } from '../../src/doctor/objective-checks.ts';
import { checkQueue } from '../../src/doctor/queue-checks.ts';
import { checkExamination, checkStore } from '../../src/doctor/store-checks.ts';
import { checkAttempts, checkRoom } from '../../src/doctor/vault-checks.ts';
import type { SpanFacts } from '../../src/recovery/windows.ts';

const NOW_MS = Date.UTC(2026, 10, 25);
const HOUR_MS = 3_600_000;

describe('the exit code of what was found', () => {
  it('is 0 without anything bad, and damage outranks what is merely away', () => {
    assert.equal(exitCodeOf([]), 0);
    assert.equal(exitCodeOf([good('a', ''), warn('b', '', null)]), 0);
    const away = bad('vault', 'vault_unreachable', '', null);
    const store = bad('store', 'store_refused', '', null);
    assert.equal(exitCodeOf([store, away]), 6);
    assert.equal(exitCodeOf([away, bad('log', 'damaged', '', null), store]), 4);
    assert.equal(exitCodeOf([bad('a', 'internal', '', null)]), 1);
  });
});

describe('the newest point that can be recovered', () => {
  const windows = [{ to: '2026-11-24T20:00:00.000000Z' }, { to: '2026-11-24T22:00:00.000000Z' }];
  const verdict = (rpoMs: number | null, found = windows) =>
    checkRecoverable({ windows: found, rpoMs, nowMs: NOW_MS }).verdict;

  it('is held against what the policy promises', () => {
    assert.equal(verdict(null), 'good');
    assert.equal(verdict(2 * HOUR_MS), 'good');
    assert.equal(verdict(2 * HOUR_MS - 1), 'bad');
  });

  it('is missed where nothing can be recovered, and only where something was promised', () => {
    assert.equal(verdict(null, []), 'skipped');
    assert.equal(verdict(HOUR_MS, []), 'bad');
  });
});

describe('a queue', () => {
  const worker = { name: 'one', lanes: 2, active: 1, isAlive: true, seenAtMs: NOW_MS };
  const counts = { waiting: 3, active: 1, dead: 0 };
  const look = (workers: readonly KnownWorker[], dead = 0) =>
    checkQueue({ address: 'postgres://db/jobs', counts: { ...counts, dead }, workers }).map(
      ({ verdict, message }) => [verdict, message],
    );

  it('is good where somebody works for it', () => {
    assert.deepEqual(look([worker, { ...worker, name: 'two', lanes: null }]), [
      ['good', 'postgres://db/jobs: 2 workers for 2 jobs at once; 3 waiting, 1 under way'],
    ]);
  });

  it('is worth a look where nobody does, or jobs failed for good', () => {
    const said = look([{ ...worker, isAlive: false }], 2);
    assert.deepEqual(
      said.map(([verdict]) => verdict),
      ['warn', 'warn'],
    );
    assert.match(said[0]![1]!, /no worker takes jobs from .*jobs: commands do all the work/);
    assert.match(said[1]![1]!, /2 jobs failed for good within a week/);
  });
});

describe('a store', () => {
  const found = {
    ...({ kind: 'postgres', versionBase: 1, serverVersion: '15.18', state: 'filled' } as const),
    ...{ layout: 'eventcore', table: '"public"."eventcore_events"' },
  };

  it('is named with its layout, and where that is', () => {
    const { verdict, message } = checkStore(found, 'postgres://db/shop');
    assert.deepEqual(
      [verdict, message],
      ['good', 'postgres 15.18, layout eventcore in "public"."eventcore_events", holds events'],
    );
  });

  it('of others says what is not done for it', () => {
    const { message } = checkStore({ ...found, layout: 'emmett' }, 'postgres://db/shop');
    assert.match(message, /layout emmett in .*holds events; not done for it: change log, /);
  });

  it('with columns that no backup has is worth a look', () => {
    const { verdict, message, hint } = checkStore({ ...found, unknownColumns: ['note', 'tenant'] }, '');
    assert.equal(verdict, 'warn');
    assert.match(message, /no place for note, tenant, which no backup has/);
    assert.match(hint ?? '', /docs\/layouts\.md/);
  });
});

describe('the room in a vault', () => {
  const verdict = (free: number | null, full: number | null) => checkRoom(free, full).verdict;

  it('must take another full backup', () => {
    assert.equal(verdict(1999, 2000), 'bad');
    assert.equal(verdict(2000, 2000), 'warn');
    assert.equal(verdict(2400, 2000), 'good');
    assert.equal(verdict(0, null), 'bad');
    assert.equal(verdict(1, null), 'good');
  });

  it('is not guessed where nobody knows it', () => {
    assert.match(checkRoom(null, 2000).message, /does not say/);
    assert.equal(verdict(null, 2000), 'skipped');
  });
});

it('an attempt that was written to within the hour may be running, an older one is left over', () => {
  const attempt = (ageMs: number, canBeTakenUp = false) => ({
    ...{ backupId: 'b', sizeBytes: 1000, modifiedAtMs: NOW_MS - ageMs, canBeTakenUp },
  });
  assert.equal(checkAttempts([attempt(HOUR_MS - 1)], NOW_MS).verdict, 'good');
  const left = checkAttempts([attempt(HOUR_MS + 1, true), attempt(0)], NOW_MS);
  assert.equal(left.verdict, 'warn');
  assert.match(left.message, /^1 attempt without a manifest, 1\.0 kB; 1 written to/);
  assert.match(left.hint!, /goes on with/);
});

it('each thing in the way of a backup is told with its way out', () => {
  const checks = checkExamination(
    {
      clockAheadMs: -2500,
      backupObstacles: [
        { message: 'one', hint: 'GRANT one' },
        { message: 'two', hint: null },
      ],
      ...{
        feedObstacles: [],
        leftovers: ['schema x'],
      },
    },
    [{ message: 'no trigger', hint: 'CREATE TRIGGER' }],
  );
  const found = Object.fromEntries(checks.map(({ name, ...rest }) => [name, rest]));
  assert.deepEqual(found['rights to back up'], {
    ...{ verdict: 'bad', message: 'one; two', hint: 'GRANT one', code: 'store_refused' },
  });
  assert.equal(found['store clock']!.message, 'the server is 2.5 s behind this machine');
  assert.deepEqual(
    ['store clock', 'store contract', 'killed restores'].map((name) => found[name]!.verdict),
    ['warn', 'warn', 'warn'],
  );
});

describe('a change log', () => {
  const SLOT: FeedState = {
    position: 100n,
    acknowledged: 100n,
    retainedBytes: 10,
    spareBytes: null,
    isRead: true,
  };
  const FILE: FeedState = { ...SLOT, acknowledged: null, retainedBytes: null, isRead: false };
  const EMPTY = { spans: [], windows: [], gaps: [], problems: [] };

  function logOf(to: bigint, ageMs: number, kind: 'postgres' | 'sqlite' = 'postgres'): LogFacts['survey'] {
    const until = timeFromUnixMs(NOW_MS - ageMs);
    const span = {
      span: { from: 1n, to, files: [] },
      source: { kind },
      since: until,
      until,
    } as unknown as SpanFacts;
    const window = { source: 'log', to: '9999', from: '', fromLsn: '', toLsn: '', backupId: 'b' } as const;
    return { ...EMPTY, spans: [span], windows: [window] };
  }

  function check(
    survey: LogFacts['survey'],
    feed: FeedState | null,
    kind: 'postgres' | 'sqlite' = 'postgres',
  ) {
    const checks = checkLogs({ survey, store: { kind, feed, obstacles: [] }, nowMs: NOW_MS });
    return Object.fromEntries(checks.map((found) => [found.name, found]));
  }

  it('that is read and has everything is well', () => {
    const found = check(logOf(100n, 0), SLOT);
    assert.deepEqual(
      Object.values(found).map(({ verdict }) => verdict),
      ['good', 'good', 'good', 'good'],
    );
  });

  it('that is late, or that nobody captures, is worth a look', () => {
    assert.equal(check(logOf(90n, 59_000), SLOT).capture!.verdict, 'good');
    assert.match(
      check(logOf(90n, 61_000), SLOT).capture!.message,
      /10 B and .* behind, though an archiver runs/,
    );
    assert.match(check(logOf(90n, 0), { ...SLOT, isRead: false }).capture!.message, /nobody captures/);
    assert.match(check(logOf(90n, 61_000, 'sqlite'), FILE, 'sqlite').capture!.message, /10 events/);
    assert.equal(check(logOf(90n, 0, 'sqlite'), FILE, 'sqlite').capture!.verdict, 'good');
  });

  it('is bad where the store has thrown away what came after it', () => {
    const found = check(logOf(90n, 0), { ...SLOT, acknowledged: null, spareBytes: 0 });
    assert.deepEqual([found.capture!.verdict, found.capture!.code], ['bad', 'feed_lost']);
    assert.equal(check(logOf(90n, 0), null).capture!.verdict, 'warn');
    assert.equal(check(EMPTY, SLOT)['change log']!.code, 'feed_lost');
  });

  it('is damaged before it is anything else', () => {
    const found = check({ ...logOf(100n, 0)!, problems: ['x is damaged', 'y is'] }, SLOT)['change log']!;
    assert.deepEqual([found.code, found.message], ['damaged', 'x is damaged, and 1 problem more']);
  });

  it('that carries on no backup brings nothing back', () => {
    const found = check({ ...logOf(100n, 0)!, windows: [] }, SLOT)['change log']!;
    assert.deepEqual([found.verdict, /no backup/.test(found.message)], ['warn', true]);
  });

  it('may not fill the disk of its store', () => {
    const room = (state: Partial<FeedState>) => {
      const { verdict, code } = check(logOf(100n, 0), { ...SLOT, ...state })['store room for the log']!;
      return [verdict, code];
    };
    assert.deepEqual(room({ retainedBytes: 76, spareBytes: 24 }), ['bad', 'store_refused']);
    assert.deepEqual(room({ retainedBytes: 74, spareBytes: 26 }), ['good', null]);
    assert.deepEqual(room({ retainedBytes: 2e9 }), ['warn', null]);
    assert.deepEqual(room({ retainedBytes: 2e9, isRead: false }), ['bad', 'store_refused']);
    assert.deepEqual(room({ retainedBytes: 2e6, isRead: false }), ['warn', null]);
  });

  it('that is not kept is no failure, and what would be in its way is told', () => {
    const obstacles = [{ message: 'wal_level is replica', hint: 'ALTER SYSTEM' }];
    const checks = checkLogs({
      survey: EMPTY,
      store: { kind: 'postgres', feed: null, obstacles },
      nowMs: NOW_MS,
    });
    assert.deepEqual(new Set(checks.map(({ verdict }) => verdict)), new Set(['skipped']));
    assert.match(checks[0]!.message, /none can be begun: wal_level is replica/);
    const kept = checkLogs({
      survey: null,
      store: { kind: 'postgres', feed: SLOT, obstacles },
      nowMs: NOW_MS,
    });
    assert.deepEqual([kept[0]!.verdict, kept[0]!.code], ['bad', 'store_refused']);
  });

  it('that another role follows is no failure of this one, unless more than its rights is in the way', () => {
    const right = {
      message: 'permission denied',
      hint: 'ALTER ROLE "a" REPLICATION',
      isOfRole: true,
    } as const;
    const other = { message: 'may not create the publication', hint: 'CREATE PUBLICATION' };
    const follow = (isRead: boolean, obstacles: readonly Obstacle[]) =>
      checkLogs({
        survey: EMPTY,
        store: { kind: 'postgres', feed: { ...SLOT, isRead }, obstacles },
        nowMs: NOW_MS,
      })[0]!;
    assert.equal(follow(true, [right]).verdict, 'good');
    assert.equal(follow(false, [right]).verdict, 'warn');
    assert.match(follow(false, [right]).hint!, /as that one; else ALTER ROLE "a" REPLICATION/);
    assert.equal(follow(true, [right, other]).verdict, 'bad');
  });

  it('whose vault is away is still watched for what its store keeps', () => {
    const found = check(null, { ...SLOT, retainedBytes: 2e9, isRead: false });
    assert.equal(found['change log']!.verdict, 'skipped');
    assert.equal(found['store room for the log']!.verdict, 'bad');
  });
});
