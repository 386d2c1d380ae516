import type { ConsoleStore } from '../../src/console/ports.ts';
import type { StoreStatus } from '../../src/core/status.ts';
import { jobView, NOW } from './fixture-jobs.ts';
import { ago, baseStatus, DAY, HOUR, MIN, objective, provenOf, withBackups } from './fixture-status.ts';

const HOSTILE = `<script>alert("1")</script>'&`;

/** No log, backups fail since yesterday, and the last drill did not pass. */
export function ledger(): ConsoleStore {
  const status: StoreStatus = {
    ...withBackups(baseStatus('sqlite:/var/lib/ledger/events.db', 'file:/mnt/nas/ledger'), {
      ...{ untilMs: NOW - 26 * HOUR, days: 21, fullEveryDays: 7, everyHours: 6, startEvents: 120_000 },
      ...{ eventsPerDay: 2100, sealed: true, verifiedUntilMs: NOW - 12 * DAY },
    }),
    newestPoint: ago(26 * HOUR),
    verification: { oldestSeconds: 41 * 86_400, never: 48, units: 85, unsound: 1, proven: provenOf(36) },
    drill: { at: ago(3 * DAY), passed: false, rtoSeconds: null, rpoSeconds: 21_600, signed: true },
    lastPassedDrillAt: ago(17 * DAY),
    monitor: { at: ago(3 * HOUR), coverage: null, openCritical: 1, openWarning: 3 },
    promises: {
      rpoMs: 12 * HOUR,
      regionRpoMs: null,
      rtoMs: 30 * MIN,
      verifiedWithinMs: 30 * DAY,
      drilledWithinMs: 14 * DAY,
    },
    problems: [
      {
        of: 'log',
        code: 'not_supported',
        message: 'the store keeps no change log that could be captured',
        hint: null,
      },
    ],
  };
  const backups = status.backups.map((backup, i) => (i === 60 ? { ...backup, isSound: false } : backup));
  const windows = backups.map(({ stateAt }) => ({ source: 'backup' as const, from: stateAt, to: stateAt }));
  const name = 'ledger';
  const failure = { code: 'vault_unreachable', exitCode: 6, lastSuccessAgoMs: 26 * HOUR };
  return {
    ...{ name, status: { ...status, backups, windows }, store: status.store!, vault: status.vault },
    ...{ config: 'eventcore.ledger.yaml', trouble: null, labels: {}, restoreTargets: [] },
    objectives: [
      {
        ...objective(
          'rpo',
          12 * HOUR,
          26 * HOUR,
          'The newest recoverable instant is 26 h old; 12 h are promised.',
        ),
        ...{
          state: 'breached',
          next: 'Backups fail with vault_unreachable: mount /mnt/nas again, then back up now.',
        },
      },
      {
        ...objective('rto', 30 * MIN, null, 'No drill that passed has measured how long a restore takes.'),
        ...{ state: 'unknown', next: 'Run a drill: `eventcore drill`.' },
      },
      {
        ...objective(
          'verified_within',
          30 * DAY,
          41 * DAY,
          'Something was verified 41 d ago for the last time; 30 d are promised.',
        ),
        ...{ state: 'breached', next: 'Run `eventcore verify`, or give its schedule a greater share.' },
      },
      {
        ...objective(
          'drilled_within',
          14 * DAY,
          17 * DAY,
          'The last drill that passed was 17 d ago; every 14 d is promised.',
        ),
        ...{
          state: 'breached',
          next: 'The last one failed 3 d ago: read its evidence, mend it, and drill again.',
        },
      },
    ],
    jobs: [
      jobView(name, {
        job: 'full',
        endedAgoMs: 7 * DAY,
        tookMs: 41_000,
        nextInMs: 3 * HOUR,
        reason: 'next by its schedule',
      }),
      jobView(name, {
        job: 'incremental',
        endedAgoMs: 11 * MIN,
        tookMs: 31_000,
        nextInMs: 19 * MIN,
        reason: 'tried again after a failure',
        failure,
      }),
      jobView(name, {
        job: 'verify',
        endedAgoMs: 12 * DAY,
        tookMs: 20_000,
        nextInMs: 19 * MIN,
        reason: 'tried again after a failure',
        failure: { ...failure, lastSuccessAgoMs: 12 * DAY },
      }),
      jobView(name, {
        job: 'drill',
        endedAgoMs: 3 * DAY,
        tookMs: 90_000,
        nextInMs: 4 * DAY,
        reason: 'next by its schedule',
      }),
      jobView(name, {
        job: 'doctor',
        endedAgoMs: 4 * MIN,
        tookMs: 1200,
        nextInMs: 11 * MIN,
        failure: {
          ...{ code: 'integrity', exitCode: 4, lastSuccessAgoMs: 27 * HOUR },
          said: 'vault writes: two writers of one name both won (see `eventcore doctor --large`)',
        },
      }),
    ],
  };
}

/** The vault does not answer at all: what was known two hours ago is all there is. */
export function inventory(): ConsoleStore {
  const status: StoreStatus = {
    ...withBackups(
      baseStatus(
        'postgres://backup_login@db-9/inventory',
        's3://inventory-backups?endpoint=https://minio.internal',
      ),
      {
        ...{ untilMs: NOW - 3 * HOUR, days: 8, fullEveryDays: 2, everyHours: 2, startEvents: 64_000 },
        ...{ eventsPerDay: 8000, sealed: true, verifiedUntilMs: NOW - 30 * HOUR },
      },
    ),
    ...{ at: ago(2 * HOUR), newestPoint: ago(3 * HOUR) },
    verification: { oldestSeconds: 5 * 86_400, never: 12, units: 97, unsound: 0, proven: provenOf(85) },
    promises: {
      rpoMs: 4 * HOUR,
      regionRpoMs: null,
      rtoMs: null,
      verifiedWithinMs: null,
      drilledWithinMs: null,
    },
  };
  const windows = status.backups.map(({ stateAt }) => ({
    source: 'backup' as const,
    from: stateAt,
    to: stateAt,
  }));
  const trouble =
    'minio.internal does not answer: connect ECONNREFUSED 10.0.0.7:9000. Hint: is it up, and may this host reach it?';
  const name = 'inventory';
  return {
    ...{
      name,
      status: { ...status, windows },
      store: status.store!,
      vault: status.vault,
      config: 'eventcore.inventory.yaml',
    },
    ...{ trouble, labels: {}, restoreTargets: [] },
    objectives: [
      objective('rpo', 4 * HOUR, 3 * HOUR, 'The newest recoverable instant is 3 h old; 4 h are promised.'),
    ],
    jobs: [
      jobView(name, { job: 'full', endedAgoMs: 19 * HOUR, tookMs: 12_000, nextInMs: 2 * MIN, trouble }),
      jobView(name, { job: 'incremental', endedAgoMs: 3 * HOUR, tookMs: 900, nextInMs: 2 * MIN, trouble }),
      jobView(name, {
        job: 'doctor',
        endedAgoMs: 5 * MIN,
        tookMs: 30_000,
        nextInMs: 10 * MIN,
        failure: { code: 'vault_unreachable', exitCode: 6, lastSuccessAgoMs: 2 * HOUR },
      }),
    ],
  };
}

/** Every text of it that comes from outside would be a script if it could. */
export function hostile(): ConsoleStore {
  const one = inventory();
  return {
    ...{ ...one, name: HOSTILE, store: HOSTILE, vault: HOSTILE, config: HOSTILE, trouble: HOSTILE },
    objectives: one.objectives.map((kept) => ({
      ...kept,
      state: 'breached',
      reason: HOSTILE,
      next: HOSTILE,
      region: HOSTILE,
    })),
    jobs: one.jobs.map((view) => ({
      ...{ ...view, store: HOSTILE, reason: HOSTILE, trouble: HOSTILE, lastTrouble: HOSTILE },
    })),
    status: {
      ...one.status!,
      store: HOSTILE,
      vault: HOSTILE,
      problems: [{ of: HOSTILE, code: HOSTILE, message: HOSTILE, hint: HOSTILE }],
    },
  };
}
