/** The tests of a drill, in the order in which they run. */
export const DRILL_TESTS = [
  'backup_creation',
  'backup_verification',
  'partial_restore',
  'full_restore',
  'point_in_time_recovery',
  'cross_region_restore',
] as const;

/** The canary is no test that may be left out: it must fail where the tests pass. */
export const CANARY = 'negative_canary';

export type DrillTestName = (typeof DRILL_TESTS)[number] | typeof CANARY;

/** `not_due`: its time has not come. `skipped`: it does not apply here. */
export type DrillState = 'passed' | 'failed' | 'not_due' | 'skipped';

export type DrillFact = string | number | boolean | null;

export interface DrillStep {
  readonly name: string;
  readonly ms: number;
  /** Names no stream and nothing of an event. */
  readonly facts: Readonly<Record<string, DrillFact>>;
}

export interface DrillResult {
  readonly name: DrillTestName;
  readonly state: DrillState;
  /** Kind of the failure; null where it did not fail. */
  readonly code: string | null;
  /** Why it is in this state; null when it passed. May name streams: see `publicReason`. */
  readonly reason: string | null;
  readonly ms: number;
  readonly steps: readonly DrillStep[];
}

/** What a drill measured of one restore. */
export interface RestoreMeasurement {
  readonly test: DrillTestName;
  readonly region: string;
  readonly backupId: string;
  /** From the decision to restore until the store was there. */
  readonly restoreMs: number;
  readonly phases: readonly { readonly name: string; readonly ms: number }[];
  readonly events: number;
  /** Of a whole restore, plain; of a sample, what was read of the vault for it. */
  readonly bytes: number;
  readonly eventsPerSecond: number;
}

export interface DrillMeasurements {
  readonly restores: readonly RestoreMeasurement[];
  /** How old the newest instant is that can be brought back; null where nothing can. */
  readonly recoverableAgeMs: number | null;
  /** Events that the store has and that could not be brought back; null where that is not known. */
  readonly eventsAtRisk: number | null;
}

/** Whether what is promised to others was kept. */
export interface DrillObjective {
  readonly name: 'rto' | 'rpo' | 'region_rpo';
  readonly targetMs: number;
  readonly measuredMs: number | null;
  readonly met: boolean;
}

/** Which point the tests restore. */
export type DrillSelect = 'newest' | 'random' | 'oldest';
