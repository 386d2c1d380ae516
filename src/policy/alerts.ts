import type { Alert, NotifierRule } from '../core/alert.ts';
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
  /** Who is told; nobody: it is all kept on record only. */
  readonly notifiers: readonly NotifierRule[];
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
 * place was looked at again and is clean. Each notifier is told of what it is there for, from when it is; and of the end where it was told
 * of the beginning.
 */
export function decideAlerts(input: AlertInput): AlertDecision {
  const seen = new Map(input.seen.map((observation) => [alertKey(observation), observation]));
  const before = new Set(input.open.map(alertKey));
  const notices: Notice[] = [];
  const open: OpenAlert[] = [];
  for (const alert of input.open) {
    const now = seen.get(alertKey(alert));
    if (now === undefined && isClean(alert, input.looked)) {
      notices.push(noticeOf(alert, 'resolved', whoKnows(alert, input), input));
    } else open.push(tell(now === undefined ? alert : merge(alert, now, input), notices, input));
  }
  for (const [key, observation] of seen) {
    if (!before.has(key)) open.push(tell(begin(observation, input), notices, input));
  }
  const names = new Set(input.notifiers.map(({ name }) => name));
  const known = (to: readonly string[]): string[] => to.filter((name) => names.has(name));
  const owed = input.owed.map((entry) => ({ ...entry, to: known(entry.to) }));
  const wanted = notices.map((notice) => ({ ...notice, to: known(notice.to) }));
  return { open, owed: enqueue(owed, wanted, input.newId) };
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

/** Tells those to whom it is news, and once more those who know it, when that is due. */
function tell(alert: OpenAlert, notices: Notice[], input: AlertInput): OpenAlert {
  const { told } = alert;
  const hearers = input.notifiers.filter((rule) => hearsOf(rule, alert, input)).map(({ name }) => name);
  const knowing = whoKnows(alert, input);
  const isFirst = knowing.length === 0;
  const isDue = !isFirst && isDueAgain(alert, input);
  const again = isDue ? hearers.filter((name) => knowing.includes(name)) : [];
  const news = hearers.filter((name) => !knowing.includes(name));
  if (news.length > 0) notices.push(noticeOf(alert, 'raised', news, input));
  if (again.length > 0) notices.push(noticeOf(alert, 'repeated', again, input));
  const to = [...knowing, ...news];
  const isTold = (isFirst && news.length > 0) || again.length > 0;
  if (!isTold) return { ...alert, told: { ...told, to } };
  const { severity } = alert;
  return { ...alert, told: { at: timeText(input.nowMs), severity, sizeClass: sizeClassOf(alert), to } };
}

function whoKnows({ told }: OpenAlert, { notifiers }: AlertInput): readonly string[] {
  if (told.to !== undefined) return told.to;
  return told.at === NEVER_TOLD.at ? [] : notifiers.map(({ name }) => name);
}

function hearsOf(
  { criticalOnly = false, afterMs = 0 }: NotifierRule,
  { severity, since }: OpenAlert,
  { nowMs }: AlertInput,
): boolean {
  if (criticalOnly && severity !== 'critical') return false;
  // A clock that was set back must not silence it: as with what is due again.
  return Math.abs(nowMs - msOf(since)) >= afterMs;
}

function isDueAgain(alert: OpenAlert, { nowMs, repeatAfterMs }: AlertInput): boolean {
  const { told, severity } = alert;
  const isWorse =
    sizeClassOf(alert) > told.sizeClass || (severity === 'critical' && told.severity === 'warning');
  const passedMs = Math.abs(nowMs - msOf(told.at));
  return isWorse || passedMs >= repeatAfterMs * (severity === 'critical' ? 1 : CALM);
}

/** Told to nobody yet. */
export const NEVER_TOLD = {
  at: '1970-01-01T00:00:00.000Z',
  severity: 'warning',
  sizeClass: 0,
  to: [],
} as const;

function begin(observation: Observation, { nowMs, looked }: AlertInput): OpenAlert {
  const seenRound = roundOf(observation.place, looked);
  return { ...observation, since: timeText(nowMs), seenRound, told: NEVER_TOLD };
}

function noticeOf(
  alert: OpenAlert,
  state: Alert['state'],
  to: readonly string[],
  { nowMs }: AlertInput,
): Notice {
  const { check, place, severity, findings, events, since } = alert;
  return { check, place, state, severity, findings, events, since, at: timeText(nowMs), to };
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
