import { Cron } from 'croner';
import type { Schedule } from '../core/region-policy.ts';
import { DAY_MS } from './duration.ts';

/**
 * When a schedule is due. Where clocks are set forward, a run at a fixed time that does not exist comes as soon as it can; where
 * they are set back, it comes once.
 */

const YEAR_MS = 366 * DAY_MS;

/** Why this text is no schedule, and the way out; null when it is one. */
export function whyNoSchedule(cron: string): { reason: string; hint: string } | null {
  const fields = fieldsOf(cron);
  if (fields.length === 6) {
    return {
      reason: `${JSON.stringify(cron)} has six fields`,
      hint: `schedules have five, without seconds (those of CloudNativePG begin with them): ${JSON.stringify(fields.slice(1).join(' '))}`,
    };
  }
  const hint = 'five fields: minute, hour, day of the month, month, day of the week, as "0 */6 * * *"';
  if (fields.length !== 5) {
    return { reason: `${JSON.stringify(cron)} does not have the five fields of a schedule`, hint };
  }
  try {
    const isNever = parse({ cron, timeZone: 'UTC' }).nextRun(new Date(0)) === null;
    return isNever ? { reason: `${JSON.stringify(cron)} is never due`, hint } : null;
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const words = said.replace(/^CronPattern: /, '').replace(/\.$/, '');
    return { reason: `${JSON.stringify(cron)} is no schedule: ${words}`, hint };
  }
}

/** Whether a name is one of the time zones that are known here. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The first run after an instant, in milliseconds since 1970. */
export function nextRunMs(schedule: Schedule, afterMs: number): number {
  const opened = open(schedule);
  return spanAt(opened, afterMs)?.nextMs ?? nextOf(opened.cron, afterMs);
}

/** The last run up to an instant, that instant included; null when there was none since 1970. */
export function lastRunMs(schedule: Schedule, untilMs: number): number | null {
  const opened = open(schedule);
  const known = spanAt(opened, untilMs);
  if (known !== undefined) return known.lastMs;
  const [last] = opened.cron.previousRuns(1, new Date(untilMs + 1));
  if (last === undefined || last.getTime() < 0) return null;
  const lastMs = last.getTime();
  opened.spans = [{ lastMs, nextMs: nextOf(opened.cron, lastMs) }, ...opened.spans.slice(0, MOST_SPANS - 1)];
  return lastMs;
}

/**
 * The longest time from one run to the next within the year from `fromMs`, clocks that are set forward or back included.
 * To look at every run would take seconds for a schedule of minutes: where every day is like the other, those days
 * are looked at whose clock changes, and whatever is shorter than what was found is jumped over.
 */
export function greatestIntervalMs(schedule: Schedule, fromMs: number): number {
  const { cron } = open(schedule);
  const [, hour, ...days] = fieldsOf(schedule.cron);
  if (days.some((field) => field !== '*')) return widest(cron, fromMs, fromMs + YEAR_MS, 0);
  const begins = hour === '*' ? [fromMs] : [fromMs, ...clockChanges(schedule.timeZone, fromMs)];
  const spanMs = hour === '*' ? DAY_MS / 24 : 3 * DAY_MS;
  return begins.reduce((greatest, beginMs) => widest(cron, beginMs, beginMs + spanMs, greatest), 0);
}

/** The longest of `known` and of the times from a run in the range to the next; from the first run where none is in the range. */
function widest(cron: Cron, fromMs: number, untilMs: number, known: number): number {
  let greatest = known;
  let runMs = nextOf(cron, fromMs);
  while (runMs < untilMs || greatest === 0) {
    const [last] = greatest === 0 ? [] : cron.previousRuns(1, new Date(runMs + greatest + 1000));
    if (last !== undefined && last.getTime() > runMs) {
      runMs = last.getTime();
      continue;
    }
    const followingMs = nextOf(cron, runMs);
    greatest = Math.max(greatest, followingMs - runMs);
    runMs = followingMs;
  }
  return greatest;
}

/** Two days before each time within a year that the clocks of a time zone change. */
function clockChanges(timeZone: string, fromMs: number): number[] {
  const format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
  const offsetAt = (ms: number): string =>
    format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const changes: number[] = [];
  let before = offsetAt(fromMs);
  for (let ms = fromMs + DAY_MS; ms < fromMs + YEAR_MS; ms += DAY_MS) {
    const offset = offsetAt(ms);
    if (offset !== before) changes.push(ms - 2 * DAY_MS);
    before = offset;
  }
  return changes;
}

function fieldsOf(cron: string): string[] {
  return cron.trim().split(/\s+/);
}

/** From a run to the next one. */
interface Span {
  readonly lastMs: number;
  readonly nextMs: number;
}

/** A schedule that was parsed, and between which of its runs somebody asked: a daemon asks every few minutes, mostly the same. */
interface Opened {
  readonly cron: Cron;
  spans: readonly Span[];
}

const MOST_OPENED = 200;
const MOST_SPANS = 4;
const opened = new Map<string, Opened>();

function open(schedule: Schedule): Opened {
  const key = `${schedule.timeZone} ${schedule.cron}`;
  const known = opened.get(key);
  if (known !== undefined) return known;
  if (opened.size >= MOST_OPENED) opened.clear();
  const parsed = { cron: parse(schedule), spans: [] };
  opened.set(key, parsed);
  return parsed;
}

function spanAt({ spans }: Opened, atMs: number): Span | undefined {
  return spans.find(({ lastMs, nextMs }) => lastMs <= atMs && atMs < nextMs);
}

function parse({ cron, timeZone }: Schedule): Cron {
  return new Cron(cron, { mode: '5-part', timezone: timeZone, paused: true, fixedTimeRule: 'no-wildcard' });
}

/** A run that is due once only is never due again: as far away as a number can say. */
function nextOf(cron: Cron, afterMs: number): number {
  return cron.nextRun(new Date(afterMs))?.getTime() ?? Number.MAX_SAFE_INTEGER;
}
