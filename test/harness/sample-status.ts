import type { StatusPromises, StoreStatus } from '../../src/core/status.ts';

export const STATUS_AT_MS = Date.UTC(2026, 10, 29, 12);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** A time that is so long before the status was asked. */
export function before(ms: number): string {
  return new Date(STATUS_AT_MS - ms).toISOString();
}

export const NO_PROMISES: StatusPromises = {
  ...{ rpoMs: null, regionRpoMs: null, rtoMs: null, verifiedWithinMs: null, drilledWithinMs: null },
};

export const ALL_PROMISES: StatusPromises = {
  ...{ rpoMs: 15 * MINUTE_MS, regionRpoMs: 30 * HOUR_MS, rtoMs: 2 * HOUR_MS },
  ...{ verifiedWithinMs: 30 * DAY_MS, drilledWithinMs: 8 * DAY_MS },
};

/** A store of which all is known and all that is promised is kept. */
export const GOOD_STATUS: StoreStatus = {
  at: before(0),
  store: 'postgres://backup_login@db.example.com/shop',
  vault: 's3://eventcore-backups',
  newestPoint: before(35_000),
  windows: [
    { source: 'backup', from: before(9 * DAY_MS), to: before(9 * DAY_MS) },
    { source: 'log', from: before(7 * DAY_MS), to: before(35_000) },
  ],
  gaps: [],
  backups: [
    {
      ...{ backupId: '0193a5c0-0000-7000-8000-000000000001', kind: 'full' },
      ...{ chainId: '0193a5c0-0000-7000-8000-000000000001', stateAt: before(7 * DAY_MS) },
      ...{ finishedAt: before(7 * DAY_MS - 60_000), durationMs: 60_000, events: 1_000_000 },
      ...{ sizeBytes: 123_456_789, sealed: true, verifiedAt: before(DAY_MS), isSound: true },
    },
  ],
  backupCount: 2,
  backupBytes: 246_913_578,
  log: {
    ...{ lagSeconds: 4.5, lagBytes: 2000, retainedBytes: 3_000_000, spareBytes: 9_000_000_000 },
    isCaptured: true,
  },
  regions: [
    {
      ...{ region: 'eu-central-1', kind: 'primary', vault: 's3://eventcore-backups' },
      ...{ newestPoint: before(35_000), backups: 2, lagSeconds: 0 },
    },
    {
      ...{ region: 'us-west-2', kind: 'replica', vault: 's3://eventcore-copies' },
      ...{ newestPoint: before(11 * HOUR_MS), backups: 2, lagSeconds: 39_565 },
    },
  ],
  verification: { oldestSeconds: (3 * DAY_MS) / 1000, never: 0, units: 40, unsound: 0, proven: [] },
  drill: { at: before(2 * DAY_MS), passed: true, rtoSeconds: 245, rpoSeconds: 12, signed: true },
  lastPassedDrillAt: before(2 * DAY_MS),
  monitor: { at: before(HOUR_MS), coverage: 0.25, openCritical: 0, openWarning: 1 },
  promises: ALL_PROMISES,
  problems: [],
};
