import type { Alert, NotifierRule } from '../core/alert.ts';
import { JOB_NAMES, type JobName } from '../core/job.ts';
import { alertKey, type OpenAlert, type OwedNotice } from '../core/monitor-state.ts';
import { type AlertDecision, decideAlerts } from './alerts.ts';
import type { JobStanding } from './job-alerts.ts';
import { isPromisedNoMore, type KnownOfStore, sightsOfStore } from './objective-alerts.ts';
import { jobCheck, VAULT_CHECK } from './service-alert-text.ts';
import { type Sight, verdictOf, type Watches } from './steady.ts';

/** What a daemon tells of one store: its promises, its jobs, its vault. Pure. */

export interface KnownOfService {
  /** Null: it is not known here, and nothing is told of it. */
  readonly store: KnownOfStore | null;
  readonly jobs: ReadonlyMap<JobName, JobStanding>;
  /** It could not be used, the last time. */
  readonly isVaultAway: boolean;
}

/** Jobs without which events may be lost, and the one that says so; of the others a failure costs knowledge. */
const CRITICAL: ReadonlySet<JobName> = new Set(['full', 'incremental', 'archive', 'doctor']);
/** A vault may be away for a moment: requests are repeated anyway. */
const VAULT_HOLD_MS = 2 * 60_000;

export function sightsOfService(known: KnownOfService): Sight[] {
  const vault: Sight = {
    ...{ check: VAULT_CHECK, place: 'store', severity: 'critical', holdMs: VAULT_HOLD_MS },
    state: known.isVaultAway ? 'bad' : 'well',
  };
  return [
    ...(known.store === null ? [] : sightsOfStore(known.store)),
    ...[...known.jobs].map(sightOfJob),
    vault,
  ];
}

/** Failures in a row have had their time: nothing is waited for. */
function sightOfJob([job, { state }]: readonly [JobName, JobStanding]): Sight {
  const severity: Alert['severity'] = CRITICAL.has(job) ? 'critical' : 'warning';
  return {
    ...{ check: jobCheck(job), place: 'store', severity, holdMs: 0 },
    state: state === 'failing' ? 'bad' : state,
  };
}

export interface ServiceInput {
  readonly open: readonly OpenAlert[];
  readonly owed: readonly OwedNotice[];
  readonly known: KnownOfService;
  readonly watches: Watches;
  readonly notifiers: readonly NotifierRule[];
  /** By the clock on the wall, and by the one that watches go by. */
  readonly nowMs: number;
  readonly steadyMs: number;
  readonly repeatAfterMs: number;
  readonly newId: () => string;
}

export function decideService({ known, watches, steadyMs, ...input }: ServiceInput): AlertDecision {
  const sights = sightsOfService(known);
  const verdicts = new Map(sights.map((one) => [alertKey(one), verdictOf(watches, one, steadyMs)]));
  const seen = sights
    .filter((one) => verdicts.get(alertKey(one)) === 'seen')
    .map(({ check, place, severity }) => ({ check, place, severity, findings: 1, events: 0 }));
  const wasMade = (check: string, place: string): boolean =>
    verdicts.get(alertKey({ check, place })) === 'clear' ||
    (known.store !== null && isPromisedNoMore({ check, place }, known.store));
  const looked = { wasMade, places: null, rounds: { block: 0, bucket: 0 } };
  return decideAlerts({ ...input, seen, looked });
}

/** Whether anything is to be told or taken back, as far as it is known here. */
export function isAtPeace({
  open,
  owed,
  known,
  watches,
  steadyMs,
}: Pick<ServiceInput, 'open' | 'owed' | 'known' | 'watches' | 'steadyMs'>): boolean {
  if (open.length > 0 || owed.length > 0) return false;
  return !sightsOfService(known).some((one) => verdictOf(watches, one, steadyMs) === 'seen');
}

/** Of what is open, the jobs. */
export function openJobs(open: readonly OpenAlert[]): JobName[] {
  return JOB_NAMES.filter((job) => open.some(({ check }) => check === jobCheck(job)));
}
