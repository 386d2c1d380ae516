import type { JobName, RecordedRun } from '../core/job.ts';
import { alertKey } from '../core/monitor-state.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import { type JobStanding, judgeJob } from '../policy/job-alerts.ts';
import { settle } from '../policy/owed-notices.ts';
import type { Watches } from '../policy/steady.ts';
import { NOTHING_TOLD, type Told } from './alert-memory.ts';

/** What a daemon has in mind of what it tells of one store. All but what the vault could not take is made anew after a crash. */
export interface AlertState {
  /** As in the vault, or as it would be if that could be used. */
  told: Told;
  /** Since the vault could not be used: what the vault had then, and what was sent meanwhile. Null: it has it all. */
  away: { readonly before: Told; readonly sent: SentNotice[] } | null;
  watches: Watches;
  readonly jobs: Map<JobName, JobStanding>;
  readonly jobTroubles: Map<JobName, string>;
  /** Jobs whose records have to be read. */
  readonly stale: Set<JobName>;
  vaultTrouble: string | null;
}

export interface SentNotice {
  readonly id: string;
  readonly to: readonly string[];
}

export function newAlertState(): AlertState {
  return {
    ...{ told: NOTHING_TOLD, away: null, watches: new Map(), jobs: new Map(), jobTroubles: new Map() },
    ...{ stale: new Set(), vaultTrouble: null },
  };
}

/**
 * What the vault has, with what was told while it was away. Where nobody wrote meanwhile, that is what is in mind; else what only this daemon
 * told is added, so that its end is told too.
 */
export function joinAway(recorded: Told, { told, away }: Pick<AlertState, 'told' | 'away'>): Told {
  if (away === null) return recorded;
  if (recorded.number === away.before.number) return { ...told, number: recorded.number };
  const keys = new Set(recorded.open.map(alertKey));
  const ids = new Set([...away.before.owed, ...recorded.owed].map(({ id }) => id));
  return {
    number: recorded.number,
    open: [...recorded.open, ...told.open.filter((alert) => !keys.has(alertKey(alert)))],
    owed: [...settle(recorded.owed, away.sent), ...told.owed.filter(({ id }) => !ids.has(id))],
  };
}

/** A job that no daemon has begun for so long is asked for no more. */
const GONE_MS = 2 * 24 * 3_600_000;

/** How a job goes; of one that this daemon does not run, whether it is run at all. */
export function standingOf(
  runs: readonly RecordedRun[],
  { countsFrom, nowMs }: { readonly countsFrom: number | null; readonly nowMs: number },
): JobStanding {
  const [newest] = runs;
  const begunMs = timeToUnixMs(parseTime(newest?.begin.startedAt ?? '') ?? 0n);
  if (countsFrom === null && Math.abs(nowMs - begunMs) > GONE_MS) return { state: 'well' };
  return judgeJob(runs, nowMs, countsFrom ?? undefined);
}
