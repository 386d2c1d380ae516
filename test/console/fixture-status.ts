import type { Objective, StoreStatus } from '../../src/core/status.ts';
import { makeBackups } from './fixture-backups.ts';
import { NOW } from './fixture-jobs.ts';

/** What the stores of the fixtures have in common. */

export const MIN = 60_000;
export const HOUR = 60 * MIN;
export const DAY = 24 * HOUR;
export const ago = (ms: number): string => new Date(NOW - ms).toISOString();

export function baseStatus(store: string, vault: string): StoreStatus {
  return {
    ...{ at: ago(9000), store, vault, newestPoint: null, windows: [], gaps: [], backups: [] },
    ...{ backupCount: 0, backupBytes: 0, log: null, regions: [], verification: null, drill: null },
    ...{ lastPassedDrillAt: null, monitor: null, problems: [] },
    promises: {
      rpoMs: 15 * MIN,
      regionRpoMs: DAY,
      rtoMs: HOUR,
      verifiedWithinMs: 30 * DAY,
      drilledWithinMs: 8 * DAY,
    },
  };
}

export function withBackups(
  status: StoreStatus,
  plan: Omit<Parameters<typeof makeBackups>[0], 'store'>,
): StoreStatus {
  const backups = makeBackups({ store: status.vault, ...plan });
  return {
    ...{ ...status, backups: backups.slice(-400), backupCount: backups.length },
    backupBytes: backups.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

export function objective(
  name: Objective['name'],
  promisedMs: number,
  actualMs: number | null,
  reason: string,
  region: string | null = null,
): Objective {
  return { name, region, promisedMs, actualMs, state: 'kept', reason, next: null };
}

/** The host that verifies has no key: it reads no further than checksums. */
export function provenOf(units: number): NonNullable<StoreStatus['verification']>['proven'] {
  return (['existence', 'size', 'structure', 'checksum'] as const).map((rung) => ({ rung, units }));
}
