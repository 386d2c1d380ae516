import type { Objective, StatusRegion, StoreStatus } from '../core/status.ts';
import { type MetricFamily, oneOrZero, type Sample, seconds, timestamp } from './metric-family.ts';
import type { StoreView } from './store-view.ts';

/** A gauge with one value for each store, of its newest status; absent where there is none. */
function statusGauge(
  name: string,
  help: string,
  value: (status: StoreStatus, nowMs: number) => number | null | undefined,
): MetricFamily {
  return {
    ...{ name, help, type: 'gauge', labels: ['store'] },
    samples: ({ stores, now }) =>
      stores().map(({ store, status }) => ({
        labels: { store },
        value: status === null ? null : (value(status, now()) ?? null),
      })),
  };
}

/** A gauge with some values for each store, with more labels. */
function storeGauge(
  name: string,
  help: string,
  more: readonly string[],
  samples: (view: StoreView) => readonly Sample[],
): MetricFamily {
  return {
    ...{ name, help, type: 'gauge', labels: ['store', ...more] },
    samples: ({ stores }) =>
      stores().flatMap((view) =>
        samples(view).map(({ labels, value }) => ({ labels: { store: view.store, ...labels }, value })),
      ),
  };
}

function regionGauge(
  name: string,
  help: string,
  value: (region: StatusRegion) => number | null,
): MetricFamily {
  return storeGauge(name, help, ['region'], ({ status }) =>
    (status?.regions ?? []).map((region) => ({ labels: { region: region.region }, value: value(region) })),
  );
}

/** `region` is empty but for `region_rpo`, which to Prometheus is as if it were not there. */
function objectiveGauge(
  name: string,
  help: string,
  value: (objective: Objective) => number | null,
): MetricFamily {
  return storeGauge(name, help, ['objective', 'region'], ({ objectives }) =>
    objectives.map((objective) => ({
      labels: { objective: objective.name, region: objective.region ?? '' },
      value: value(objective),
    })),
  );
}

/** How long ago the status was asked, in seconds. */
function ageOf({ at }: StoreStatus, nowMs: number): number | null {
  const asked = timestamp(at);
  return asked === null ? null : Math.max(0, nowMs / 1000 - asked);
}

const STATUS: readonly MetricFamily[] = [
  statusGauge(
    'eventcore_status_age_seconds',
    'how long ago the status was asked that the others are of',
    ageOf,
  ),
  storeGauge(
    'eventcore_status_in_trouble',
    '1 while the status of the store cannot be asked, so that what is told of it grows old',
    [],
    ({ trouble }) => [{ labels: {}, value: trouble === null ? 0 : 1 }],
  ),
  statusGauge(
    'eventcore_status_problems',
    'how much could not be read when the status was asked',
    ({ problems }) => problems.length,
  ),
];

const RECOVERY: readonly MetricFamily[] = [
  statusGauge(
    'eventcore_newest_point_timestamp_seconds',
    'the newest instant that can be brought back; absent when there is none',
    ({ newestPoint }) => timestamp(newestPoint),
  ),
  statusGauge(
    'eventcore_oldest_point_timestamp_seconds',
    'the oldest instant that can be brought back; absent when there is none',
    ({ windows }) => timestamp(windows[0]?.from),
  ),
  statusGauge('eventcore_gaps', 'gaps in the change log that no recovery crosses', ({ gaps }) => gaps.length),
  statusGauge('eventcore_backups', 'backups in the vault', ({ backupCount }) => backupCount),
  statusGauge(
    'eventcore_backup_bytes',
    'what all backups take in the vault',
    ({ backupBytes }) => backupBytes,
  ),
];

const REGIONS: readonly MetricFamily[] = [
  regionGauge(
    'eventcore_region_newest_point_timestamp_seconds',
    'the newest instant that the region can bring back alone; absent when there is none, or it is not known',
    ({ newestPoint }) => timestamp(newestPoint),
  ),
  regionGauge(
    'eventcore_region_lag_seconds',
    'how far the region is behind the primary one; absent when it is not known',
    ({ lagSeconds }) => lagSeconds,
  ),
  regionGauge(
    'eventcore_region_backups',
    'backups in the vault of the region; absent when it is not known',
    ({ backups }) => backups,
  ),
];

const LOG: readonly MetricFamily[] = [
  statusGauge(
    'eventcore_log_lag_seconds',
    'how far the change log is behind its store; absent without a log, or while the store does not tell',
    ({ log }) => log?.lagSeconds,
  ),
  statusGauge(
    'eventcore_log_lag_bytes',
    'the same in bytes of the log of PostgreSQL',
    ({ log }) => log?.lagBytes,
  ),
  statusGauge('eventcore_log_captured', '1 while somebody captures the change log', ({ log }) =>
    oneOrZero(log?.isCaptured),
  ),
  statusGauge(
    'eventcore_slot_retained_bytes',
    'what the store keeps because the change log has it not yet',
    ({ log }) => log?.retainedBytes,
  ),
  statusGauge(
    'eventcore_slot_spare_bytes',
    'what the store may still keep before it throws away what the change log lacks; absent without a limit',
    ({ log }) => log?.spareBytes,
  ),
];

const PROOF: readonly MetricFamily[] = [
  statusGauge(
    'eventcore_verification_age_seconds',
    'how long ago that was verified which was verified longest ago (where never: was written)',
    (status, nowMs) => {
      const oldest = status.verification?.oldestSeconds;
      const since = ageOf(status, nowMs);
      return oldest == null || since === null ? null : oldest + since;
    },
  ),
  statusGauge(
    'eventcore_verification_never',
    'files of backups and log that were never verified',
    ({ verification }) => verification?.never,
  ),
  statusGauge(
    'eventcore_verification_unsound',
    'backups and files of the log that were found unsound when they were verified last',
    ({ verification }) => verification?.unsound,
  ),
  statusGauge('eventcore_drill_timestamp_seconds', 'when the newest drill on record ended', ({ drill }) =>
    timestamp(drill?.at),
  ),
  statusGauge('eventcore_drill_passed', '1 when the newest drill on record passed', ({ drill }) =>
    oneOrZero(drill?.passed),
  ),
  statusGauge(
    'eventcore_drill_last_passed_timestamp_seconds',
    'when a drill last passed; absent when none did',
    ({ lastPassedDrillAt }) => timestamp(lastPassedDrillAt),
  ),
  statusGauge(
    'eventcore_drill_rto_seconds',
    'how long a whole restore took in the newest drill that made one',
    ({ drill }) => drill?.rtoSeconds,
  ),
  statusGauge(
    'eventcore_drill_rpo_seconds',
    'how old the newest recoverable instant was when the newest drill measured it',
    ({ drill }) => drill?.rpoSeconds,
  ),
  statusGauge('eventcore_monitor_timestamp_seconds', 'when the monitor last ran', ({ monitor }) =>
    timestamp(monitor?.at),
  ),
  statusGauge(
    'eventcore_monitor_coverage_ratio',
    'how much of the store the monitor has looked at in this round of its sweep, from 0 to 1',
    ({ monitor }) => monitor?.coverage,
  ),
  storeGauge(
    'eventcore_monitor_findings',
    'findings of the monitor that are open',
    ['severity'],
    ({ status }) => {
      const { openCritical = null, openWarning = null } = status?.monitor ?? {};
      return [
        { labels: { severity: 'critical' }, value: openCritical },
        { labels: { severity: 'warning' }, value: openWarning },
      ];
    },
  ),
];

const OBJECTIVES: readonly MetricFamily[] = [
  objectiveGauge(
    'eventcore_objective_kept',
    '1 while what the policy promises is kept, 0 while it is not; absent while it is not known',
    ({ state }) => (state === 'unknown' ? null : oneOrZero(state === 'kept')),
  ),
  objectiveGauge(
    'eventcore_objective_unknown',
    '1 while it is not known whether what the policy promises is kept',
    ({ state }) => oneOrZero(state === 'unknown'),
  ),
  objectiveGauge('eventcore_objective_promised_seconds', 'what the policy promises', ({ promisedMs }) =>
    seconds(promisedMs),
  ),
  objectiveGauge(
    'eventcore_objective_actual_seconds',
    'what is, against what the policy promises; absent while it is not known, or there is nothing',
    ({ actualMs }) => seconds(actualMs),
  ),
];

export const STORE_METRICS: readonly MetricFamily[] = [
  ...[...STATUS, ...RECOVERY, ...REGIONS, ...LOG, ...PROOF, ...OBJECTIVES],
];
