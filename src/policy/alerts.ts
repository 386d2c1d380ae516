import type { Alert } from '../core/alert.ts';
import { type AlertPlace, alertKey, type OpenAlert, type OwedNotice } from '../core/monitor-state.ts';
import { formatTime, parseTime, timeFromUnixMs, timeToUnixMs } from '../core/time.ts';
import { enqueue, type Notice } from './owed-notices.ts';

/** What a run saw wrong at one place. */
export interface Observation extends AlertPlace {
  readonly severity: Alert['severity'];
  readonly findings: number;
  readonly events: number;
}

/** Where a run has looked: what was found nowhere else proves nothing. */
export interface LookedAt {
  /** Whether a check was made, to its end, at places of this kind. */
  readonly wasMade: (check: string, place: string) => boolean;
  /** Parts of the sweep, as places; null: all there are. */
  readonly places: ReadonlySet<string> | null;
  /** Which rounds the sweep was in. */
  readonly rounds: { readonly block: number; readonly bucket: number };
}

export interface AlertInput {
  readonly open: readonly OpenAlert[];
  readonly owed: readonly OwedNotice[];
  readonly seen: readonly Observation[];
  readonly looked: LookedAt;
  /** Names of those that are told; none: it is all kept on record only. */
  readonly notifiers: readonly string[];
  readonly nowMs: number;
  readonly repeatAfterMs: number;
  readonly newId: () => string;
}

export interface AlertDecision {
  readonly open: OpenAlert[];
  readonly owed: OwedNotice[];
}

/**
 * What is open after a run, and what has to be told to whom: `raised` once, `repeated` when it is worse or after a while, `resolved` when its
 * place was looked at again and is clean.
 */
export function decideAlerts(input: AlertInput): AlertDecision {
  const seen = new Map(input.seen.map((observation) => [alertKey(observation), observation]));
  const before = new Map(input.open.map((alert) => [alertKey(alert), alert]));
  const notices: Notice[] = [];
  const open: OpenAlert[] = [];
  for (const alert of input.open) {
    const now = seen.get(alertKey(alert));
    if (now === undefined && isClean(alert, input.looked)) {
      if (alert.told.at !== NEVER) notices.push(noticeOf(alert, 'resolved', input));
    } else open.push(goOn(now === undefined ? alert : merge(alert, now, input), notices, input));
  }
  for (const [key, observation] of seen) {
    if (!before.has(key)) open.push(raise(observation, notices, input));
  }
  const known = input.owed.map((owed) => ({
    ...owed,
    to: owed.to.filter((name) => input.notifiers.includes(name)),
  }));
  return { open, owed: enqueue(known, notices, input.notifiers, input.newId) };
}

/** Where it lay was looked at, or a whole round of the sweep has passed without it: places may be numbered anew. */
function isClean({ check, place, seenRound }: OpenAlert, looked: LookedAt): boolean {
  if (!looked.wasMade(check, place)) return false;
  if (!isSwept(place) || looked.places === null) return true;
  return looked.places.has(place) || roundOf(place, looked) > seenRound + 1;
}

function roundOf(place: string, { rounds }: LookedAt): number {
  if (place === ELSEWHERE) return Math.min(rounds.block, rounds.bucket);
  return place.startsWith('block ') ? rounds.block : rounds.bucket;
}

/** All other places are looked at with each run. */
function isSwept(place: string): boolean {
  return /^(?:block|bucket) \d+$/.test(place) || place === ELSEWHERE;
}

export const ELSEWHERE = 'elsewhere';

function merge(alert: OpenAlert, now: Observation, { looked }: AlertInput): OpenAlert {
  return { ...alert, ...now, seenRound: roundOf(now.place, looked) };
}

/** A warning is repeated so many times less often: a server without checksums may have to stay so. */
const CALM = 7;

/** An alert that stays open, once more told when that is due. */
function goOn(alert: OpenAlert, notices: Notice[], input: AlertInput): OpenAlert {
  const { told, severity } = alert;
  if (input.notifiers.length === 0) return alert;
  const isWorse =
    sizeClassOf(alert) > told.sizeClass || (severity === 'critical' && told.severity === 'warning');
  // A clock that was set back must not silence it.
  const passedMs = Math.abs(input.nowMs - msOf(told.at));
  const afterMs = input.repeatAfterMs * (severity === 'critical' ? 1 : CALM);
  if (!isWorse && passedMs < afterMs) return alert;
  notices.push(noticeOf(alert, told.at === NEVER ? 'raised' : 'repeated', input));
  return { ...alert, told: toldNow(alert, input) };
}

function raise(observation: Observation, notices: Notice[], input: AlertInput): OpenAlert {
  const since = timeText(input.nowMs);
  const alert = { ...observation, since, seenRound: roundOf(observation.place, input.looked) };
  notices.push(noticeOf(alert, 'raised', input));
  return { ...alert, told: toldNow(alert, input) };
}

type Untold = Omit<OpenAlert, 'told'>;

/** Told to nobody, since there was nobody to tell: it is news to whoever comes. */
const NEVER = '1970-01-01T00:00:00.000Z';

function toldNow(alert: Untold, { nowMs, notifiers }: AlertInput): OpenAlert['told'] {
  if (notifiers.length === 0) return { at: NEVER, severity: 'warning', sizeClass: 0 };
  return { at: timeText(nowMs), severity: alert.severity, sizeClass: sizeClassOf(alert) };
}

function noticeOf(alert: Untold, state: Alert['state'], { nowMs }: AlertInput): Notice {
  const { check, place, severity, findings, events, since } = alert;
  return { check, place, state, severity, findings, events, since, at: timeText(nowMs) };
}

/** 0 below ten, 1 below a hundred, and so on. */
function sizeClassOf({ findings, events }: Pick<OpenAlert, 'findings' | 'events'>): number {
  return String(Math.max(findings, events)).length - 1;
}

function timeText(ms: number): string {
  return formatTime(timeFromUnixMs(ms), 3);
}

function msOf(text: string): number {
  return timeToUnixMs(parseTime(text) ?? 0n);
}
