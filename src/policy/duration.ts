/**
 * Spans of time as a policy file writes them: a whole number and a unit. A month is 30 days and a year 365, since a span counts
 * back from any instant: 7y are 2,555 days.
 */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
const MONTH_MS = 30 * DAY_MS;

const UNITS: Readonly<Record<string, number>> = {
  s: SECOND_MS,
  min: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
  mo: MONTH_MS,
  y: 365 * DAY_MS,
};

/** What a bare `m` is: how long something is kept is said in months, how much may be lost in minutes. */
export type BareM = 'months' | 'minutes';

/** Milliseconds of `30d`, `12w`, `7y`, `12h`, `15min` or `6mo`; null for any other text, for nothing, and past 2^53. */
export function parseSpan(text: string, bareM: BareM): number | null {
  const [, count, unit] = /^(\d{1,9}) ?(s|min|m|h|d|w|mo|y)$/.exec(text) ?? [];
  if (count === undefined || unit === undefined) return null;
  const known = unit === 'm' ? (bareM === 'months' ? 'mo' : 'min') : unit;
  const ms = Number(count) * UNITS[known]!;
  return ms > 0 && Number.isSafeInteger(ms) ? ms : null;
}

const SHOWN = ['y', 'd', 'h', 'min', 's'] as const;

/** The same span in the largest unit that says it exactly, as `parseSpan` reads it; what is less than a second is left out. */
export function formatSpan(ms: number): string {
  const unit = SHOWN.find((name) => ms >= UNITS[name]! && ms % UNITS[name]! === 0);
  return unit === undefined ? `${Math.round(ms / SECOND_MS)}s` : `${ms / UNITS[unit]!}${unit}`;
}

/** About how long something is: whole days, hours, minutes or seconds, whichever is the largest of which there are some. */
export function formatAge(ms: number): string {
  const unit = (['d', 'h', 'min'] as const).find((name) => ms >= UNITS[name]!) ?? 's';
  return `${Math.max(0, Math.floor(ms / UNITS[unit]!))}${unit}`;
}
