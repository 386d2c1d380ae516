import type { ConsoleStore } from '../../src/console/ports.ts';
import type { Objective, StatusRegion, StoreStatus } from '../../src/core/status.ts';
import { jobView, NOW } from './fixture-jobs.ts';
import { ago, baseStatus, DAY, HOUR, MIN, objective, provenOf, withBackups } from './fixture-status.ts';
import { hostile, inventory, ledger } from './fixture-troubled.ts';

const OBJECTIVES: readonly Objective[] = [
  objective('rpo', 15 * MIN, 12_000, 'The newest recoverable instant is 12 s old; 15 min are promised.'),
  objective(
    'region_rpo',
    DAY,
    2 * HOUR,
    'The copy in us-west-2 is 2 h 00 min behind; 24 h are promised.',
    'us-west-2',
  ),
  objective('rto', HOUR, 11 * MIN, 'The last drill restored all of it in 11 min; 1 h is promised.'),
  objective(
    'verified_within',
    30 * DAY,
    6 * DAY,
    'All of it was verified within the last 6 d; 30 d are promised.',
  ),
  objective('drilled_within', 8 * DAY, 2 * DAY, 'A drill passed 2 d ago; every 8 d is promised.'),
];

const REGIONS: readonly StatusRegion[] = [
  {
    region: 'eu-central-1',
    kind: 'primary',
    vault: 's3://shop-backups',
    newestPoint: ago(12_000),
    backups: 181,
    lagSeconds: 0,
  },
  {
    region: 'us-west-2',
    kind: 'replica',
    vault: 's3://shop-backups-us',
    newestPoint: ago(2 * HOUR),
    backups: 180,
    lagSeconds: 7188,
  },
  {
    region: 'vault-archive',
    kind: 'archive',
    vault: 's3://shop-archive',
    newestPoint: ago(9 * DAY),
    backups: 96,
    lagSeconds: 777_600,
  },
];

/** All is well, and an incremental backup runs. */
function shop(): ConsoleStore {
  const status: StoreStatus = {
    ...withBackups(baseStatus('postgres://backup_login@db-1/shop', 's3://shop-backups?region=eu-central-1'), {
      ...{ untilMs: NOW - 2 * HOUR, days: 30, fullEveryDays: 7, everyHours: 4, startEvents: 4_900_000 },
      ...{ eventsPerDay: 22_000, sealed: true, verifiedUntilMs: NOW - 20 * HOUR },
    }),
    ...{ newestPoint: ago(12_000), regions: REGIONS },
    windows: [
      { source: 'backup', from: ago(30 * DAY), to: ago(30 * DAY) },
      { source: 'log', from: ago(16 * DAY), to: ago(12_000) },
    ],
    log: {
      lagSeconds: 0,
      lagBytes: 4096,
      retainedBytes: 16_777_216,
      spareBytes: 48_318_382_080,
      isCaptured: true,
    },
    verification: { oldestSeconds: 6 * 86_400, never: 5, units: 412, unsound: 0, proven: provenOf(407) },
    drill: { at: ago(2 * DAY), passed: true, rtoSeconds: 662, rpoSeconds: 14, signed: true },
    lastPassedDrillAt: ago(2 * DAY),
    monitor: { at: ago(40_000), coverage: 0.63, openCritical: 0, openWarning: 0 },
  };
  const name = 'shop';
  const progress = {
    ...{ step: 'reading events', events: 8210, bytes: 611_000, totalEvents: 14_900, totalBytes: null },
    ...{ sinceMs: NOW - 6100, atMs: NOW - 300 },
  };
  return {
    ...{
      name,
      status,
      store: status.store!,
      vault: status.vault,
      config: 'eventcore.shop.yaml',
      trouble: null,
    },
    ...{
      objectives: OBJECTIVES,
      labels: {},
      restoreTargets: [{ name: 'rehearsal', kind: 'postgres', place: 'postgres://restore_login@db-7' }],
    },
    jobs: [
      jobView(name, {
        job: 'full',
        endedAgoMs: 12 * HOUR,
        tookMs: 24 * MIN,
        nextInMs: 6.48 * DAY,
        reason: 'next by its schedule',
        facts: { totalEvents: 5_512_210, sizeBytes: 421_000_000 },
      }),
      jobView(name, {
        job: 'incremental',
        endedAgoMs: 2 * HOUR,
        tookMs: 15_000,
        runningMs: 6400,
        progress,
        facts: { totalEvents: 3711, sizeBytes: 288_000 },
      }),
      jobView(name, { job: 'archive', runningMs: 16 * DAY }),
      jobView(name, {
        job: 'sync',
        endedAgoMs: 110 * MIN,
        tookMs: 41_000,
        nextInMs: 10 * MIN,
        reason: 'next by its schedule',
      }),
      jobView(name, {
        job: 'prune',
        endedAgoMs: 11 * HOUR,
        tookMs: 3100,
        nextInMs: 13 * HOUR,
        reason: 'next by its schedule',
      }),
      jobView(name, {
        job: 'verify',
        endedAgoMs: 20 * HOUR,
        tookMs: 9 * MIN,
        nextInMs: 4 * HOUR,
        reason: 'next by its schedule',
      }),
      jobView(name, { job: 'monitor', runningMs: 16 * DAY }),
      jobView(name, {
        job: 'drill',
        endedAgoMs: 2 * DAY,
        tookMs: 14 * MIN,
        nextInMs: 5 * DAY,
        reason: 'next by its schedule',
      }),
      jobView(name, {
        job: 'doctor',
        endedAgoMs: 6 * MIN,
        tookMs: 2300,
        nextInMs: 9 * MIN,
        reason: 'next by its interval',
      }),
    ],
  };
}

/** In its first minutes: nothing is known, and the first full backup runs. */
function billing(): ConsoleStore {
  const name = 'billing';
  const progress = {
    ...{
      step: 'reading events',
      events: 412_300,
      bytes: 30_100_000,
      totalEvents: 2_210_000,
      totalBytes: null,
    },
    ...{ sinceMs: NOW - 21_000, atMs: NOW - 400 },
  };
  return {
    ...{
      name,
      status: null,
      store: 'postgres://backup_login@db-2/billing',
      vault: 's3://billing-backups',
      trouble: null,
    },
    ...{ config: 'eventcore.billing.yaml', objectives: [], labels: {}, restoreTargets: [] },
    jobs: [
      jobView(name, { job: 'full', runningMs: 22_000, progress }),
      jobView(name, { job: 'incremental', nextInMs: 14 * MIN, reason: 'waits for its first time' }),
      jobView(name, {
        job: 'doctor',
        endedAgoMs: 20_000,
        tookMs: 1900,
        nextInMs: 15 * MIN,
        failure: { code: 'integrity', exitCode: 3, lastSuccessAgoMs: null },
      }),
    ],
  };
}

/** A slot was lost last Tuesday: no recovery crosses that. */
function orders(): ConsoleStore {
  const gapAt = 4.2 * DAY;
  const status: StoreStatus = {
    ...withBackups(baseStatus('postgres://backup_login@db-3/orders', 'file:/srv/backups/orders'), {
      ...{ untilMs: NOW - 35 * MIN, days: 13, fullEveryDays: 3, everyHours: 1, startEvents: 812_000 },
      ...{ eventsPerDay: 96_000, sealed: false, verifiedUntilMs: NOW - 2 * DAY },
    }),
    newestPoint: ago(3000),
    windows: [
      { source: 'log', from: ago(13 * DAY), to: ago(gapAt) },
      { source: 'log', from: ago(3.6 * DAY), to: ago(3000) },
    ],
    gaps: [{ from: ago(gapAt), reason: 'slot_lost' }],
    log: {
      lagSeconds: 1,
      lagBytes: 91_000,
      retainedBytes: 33_554_432,
      spareBytes: 9_663_676_416,
      isCaptured: true,
    },
    verification: { oldestSeconds: 9 * 86_400, never: 44, units: 690, unsound: 0, proven: provenOf(646) },
    drill: { at: ago(6 * DAY), passed: true, rtoSeconds: 212, rpoSeconds: 9, signed: false },
    lastPassedDrillAt: ago(6 * DAY),
    monitor: { at: ago(3 * MIN), coverage: 0.11, openCritical: 0, openWarning: 1 },
    promises: {
      rpoMs: 5 * MIN,
      regionRpoMs: null,
      rtoMs: 30 * MIN,
      verifiedWithinMs: 30 * DAY,
      drilledWithinMs: 8 * DAY,
    },
  };
  const name = 'orders';
  return {
    ...{
      name,
      status,
      store: status.store!,
      vault: status.vault,
      config: 'eventcore.orders.yaml',
      trouble: null,
      labels: {},
      restoreTargets: [],
    },
    objectives: [
      objective('rpo', 5 * MIN, 3000, 'The newest recoverable instant is 3 s old; 5 min are promised.'),
      objective(
        'rto',
        30 * MIN,
        212_000,
        'The last drill restored all of it in 3 min 32 s; 30 min are promised.',
      ),
      objective(
        'verified_within',
        30 * DAY,
        9 * DAY,
        'All of it was verified within the last 9 d; 30 d are promised.',
      ),
      objective('drilled_within', 8 * DAY, 6 * DAY, 'A drill passed 6 d ago; every 8 d is promised.'),
    ],
    jobs: [
      jobView(name, {
        job: 'full',
        endedAgoMs: 10 * HOUR,
        tookMs: 4 * MIN,
        nextInMs: 2.6 * DAY,
        reason: 'next by its schedule',
      }),
      jobView(name, {
        job: 'incremental',
        endedAgoMs: 34 * MIN,
        tookMs: 2100,
        nextInMs: 26 * MIN,
        reason: 'next by its interval',
        facts: { totalEvents: 4012 },
      }),
      jobView(name, { job: 'archive', runningMs: 3.6 * DAY }),
      jobView(name, {
        job: 'verify',
        endedAgoMs: 9 * HOUR,
        tookMs: 70_000,
        nextInMs: 15 * HOUR,
        reason: 'next by its schedule',
      }),
      jobView(name, {
        job: 'drill',
        endedAgoMs: 6 * DAY,
        tookMs: 5 * MIN,
        nextInMs: DAY,
        reason: 'next by its schedule',
      }),
      jobView(name, {
        job: 'doctor',
        endedAgoMs: 3 * MIN,
        tookMs: 1800,
        nextInMs: 12 * MIN,
        reason: 'next by its interval',
      }),
    ],
  };
}

/** Well, young, with a gap, with objectives that are not kept, in trouble. */
export const STORES: readonly ConsoleStore[] = [shop(), billing(), orders(), ledger(), inventory()];
export const HOSTILE_STORE: ConsoleStore = hostile();
