import { plural } from '../../core/units.ts';

/**
 * Schedules as the operator of CloudNativePG reads them (robfig/cron 1.2): six fields, SECONDS first, of which the last may be left out. So a schedule
 * with the five fields of cron is one too, and means something else.
 */
export interface OperatorSchedule {
  /** How many fields were given. */
  readonly given: number;
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Null: every one. */
  readonly days: readonly number[] | null;
  readonly months: readonly number[] | null;
  readonly weekdays: readonly number[] | null;
}

interface Bounds {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly names?: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const BOUNDS: readonly Bounds[] = [
  { name: 'seconds', least: 0, most: 59 },
  { name: 'minutes', least: 0, most: 59 },
  { name: 'hours', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, names: MONTHS },
  { name: 'day of the week', least: 0, most: 6, names: WEEKDAYS },
];

const DESCRIPTORS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 0 1 1 *',
  '@annually': '0 0 0 1 1 *',
  '@monthly': '0 0 0 1 * *',
  '@weekly': '0 0 0 * * 0',
  '@daily': '0 0 0 * * *',
  '@midnight': '0 0 0 * * *',
  '@hourly': '0 0 * * * *',
};

/** What a schedule means; a text says why it is none. `@every 6h` means a time since the last one, and is null. */
export function readOperatorSchedule(text: string): OperatorSchedule | string | null {
  const trimmed = text.trim();
  if (/^@every\s+(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(trimmed)) return null;
  const spec = trimmed.startsWith('@') ? DESCRIPTORS[trimmed] : trimmed;
  if (spec === undefined) return `${JSON.stringify(trimmed)} is not known`;
  const fields = spec.split(/\s+/);
  if (fields.length < 5 || fields.length > 6) {
    return `${JSON.stringify(trimmed)} has ${plural(spec === '' ? 0 : fields.length, 'field')}`;
  }
  const sets = BOUNDS.map((bounds, i) => readField(fields[i] ?? '*', bounds));
  const fault = sets.find((set) => typeof set === 'string');
  if (fault !== undefined) return `${JSON.stringify(trimmed)}: ${fault as string}`;
  const [seconds, minutes, hours, days, months, weekdays] = sets as (readonly number[] | null)[];
  return {
    ...{ given: fields.length, seconds: seconds ?? range(BOUNDS[0]!), minutes: minutes ?? range(BOUNDS[1]!) },
    ...{ hours: hours ?? range(BOUNDS[2]!), days: days!, months: months!, weekdays: weekdays! },
  };
}

function range({ least, most }: Pick<Bounds, 'least' | 'most'>, step = 1): number[] {
  return Array.from({ length: Math.floor((most - least) / step) + 1 }, (_, i) => least + i * step);
}

/** The numbers that a field names, in order; null for every one, a text for what it cannot be. */
function readField(field: string, bounds: Bounds): readonly number[] | string | null {
  const numbers = new Set<number>();
  let isEvery = false;
  for (const part of field.split(',').filter((text) => text !== '')) {
    const read = readPart(part, bounds);
    if (typeof read === 'string') return read;
    if (read === null) isEvery = true;
    else for (const number of read) numbers.add(number);
  }
  if (isEvery) return null;
  return numbers.size === 0
    ? `no ${bounds.name} in ${JSON.stringify(field)}`
    : [...numbers].sort((a, b) => a - b);
}

function readPart(part: string, bounds: Bounds): readonly number[] | string | null {
  const wrong = `${JSON.stringify(part)} is no ${bounds.name}`;
  const match = /^([^/-]+)(?:-([^/-]+))?(?:\/(\d+))?$/.exec(part);
  if (match === null) return wrong;
  const [, from = '', to, every] = match;
  const step = every === undefined ? 1 : Number(every);
  const isStar = from === '*' || from === '?';
  if (step === 0 || (isStar && to !== undefined)) return wrong;
  if (isStar) return step === 1 ? null : range(bounds, step);
  const least = numberOf(from, bounds);
  // `5/15` means from 5 on.
  const most = to !== undefined ? numberOf(to, bounds) : every === undefined ? least : bounds.most;
  if (least === null || most === null || least < bounds.least || most > bounds.most || least > most)
    return wrong;
  return range({ least, most }, step);
}

function numberOf(text: string, { names, least }: Bounds): number | null {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named !== -1) return named + least;
  return /^\d+$/.test(text) ? Number(text) : null;
}

/** How often on a day on which it runs. */
export function runsADay({ seconds, minutes, hours }: OperatorSchedule): number {
  return seconds.length * minutes.length * hours.length;
}

/** When it runs, in words, as `every hour at hh:02:00`. */
export function describeSchedule(schedule: OperatorSchedule): string {
  const times = timesOf(schedule);
  const days = daysOf(schedule);
  return [days.length === 0 && times.startsWith('at ') ? `every day ${times}` : times, ...days].join(', ');
}

function timesOf(schedule: OperatorSchedule): string {
  const { seconds, minutes, hours } = schedule;
  const everyMinute = minutes.length === 60 && hours.length === 24;
  const stepped = stepOf(minutes, 60);
  const ofHour = stepOf(hours, 24);
  if (seconds.length > 1)
    return everyMinute ? secondsOf(seconds) : `${plural(runsADay(schedule), 'time')} a day`;
  const second = two(seconds[0]!);
  if (everyMinute) return `every minute at second ${second}`;
  if (hours.length === 24 && minutes.length === 1) return `every hour at hh:${two(minutes[0]!)}:${second}`;
  if (hours.length === 24 && stepped !== null) return `every ${stepped} minutes`;
  if (minutes.length > 1) return `${plural(runsADay(schedule), 'time')} a day`;
  const minute = two(minutes[0]!);
  if (hours.length > 2 && ofHour !== null) return `every ${ofHour} hours at hh:${minute}:${second}`;
  return `at ${hours.map((hour) => `${two(hour)}:${minute}:${second}`).join(' and ')}`;
}

function secondsOf(seconds: readonly number[]): string {
  const step = stepOf(seconds, 60);
  return seconds.length === 60
    ? 'every second'
    : step === null
      ? `${seconds.length} times a minute`
      : `every ${step} seconds`;
}

/** By how much numbers from the first one on grow to the end of the circle; null where they do not. */
function stepOf(numbers: readonly number[], circle: number): number | null {
  const step = (numbers[1] ?? 0) - (numbers[0] ?? 0);
  const isEven = step > 0 && numbers.every((number, i) => number === numbers[0]! + i * step);
  return isEven && numbers.length * step >= circle ? step : null;
}

function daysOf({ days, months, weekdays }: OperatorSchedule): string[] {
  const on = [
    ...(days === null ? [] : [`day ${days.join(', ')} of the month`]),
    ...(weekdays === null ? [] : [weekdays.map((day) => capital(WEEKDAYS[day]!)).join(', ')]),
  ];
  return [
    ...(on.length === 0 ? [] : [`on ${on.join(' or ')}`]),
    ...(months === null ? [] : [`in ${months.map((month) => capital(MONTHS[month - 1]!)).join(', ')} only`]),
  ];
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
