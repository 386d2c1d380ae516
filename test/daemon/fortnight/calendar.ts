/**
 * When a schedule is due, told without the code that decides it: by looking at the clock on the wall of a time zone, minute by minute.
 * Knows lists and steps in minutes and hours, and days of the week.
 */
const MINUTE = 60_000;
const SLOT = 30 * MINUTE;
const DAY = 24 * 60 * MINUTE;

export interface Cron {
  readonly cron: string;
  readonly timeZone: string;
}

const YEAR = 366 * DAY;
const known = new Map<string, number[]>();

/** All times in a range, its ends included. */
export function occurrences(schedule: Cron, fromMs: number, untilMs: number): number[] {
  // A fortnight is asked about some thousand times.
  const quarter = Math.floor(fromMs / (YEAR / 16));
  const key = `${schedule.timeZone} ${schedule.cron} ${quarter}`;
  const [beginMs, endMs] = [quarter * (YEAR / 16), (quarter + 3) * (YEAR / 16)];
  if (untilMs > endMs) return walk(schedule, fromMs, untilMs);
  const all = known.get(key) ?? walk(schedule, beginMs, endMs);
  known.set(key, all);
  return all.filter((at) => at >= fromMs && at <= untilMs);
}

function walk({ cron, timeZone }: Cron, fromMs: number, untilMs: number): number[] {
  const [minutes, hours, , , days] = cron.split(' ').map((field, i) => valuesOf(field, LIMITS[i]!));
  const isFixed = !/^\S*\*\S* |^\S+ \S*\*/.test(cron);
  const wall = wallOf(timeZone);
  const fits = (localMs: number): boolean => {
    const minute = Math.floor(localMs / MINUTE);
    // 1970 began on a Thursday.
    const day = (Math.floor(localMs / DAY) + 4) % 7;
    return minutes!.has(minute % 60) && hours!.has(Math.floor(minute / 60) % 24) && days!.has(day);
  };
  const found = new Set<number>();
  const first = Math.floor(fromMs / MINUTE) * MINUTE;
  if (!isFixed) {
    for (let at = first; at <= untilMs; at += MINUTE) if (fits(wall(at))) found.add(at);
  } else {
    const begin = Math.floor(wall(first) / DAY) * DAY - DAY;
    for (let local = begin; local <= untilMs + 2 * DAY; local += MINUTE)
      if (fits(local)) found.add(soonest(wall, local));
  }
  return [...found].filter((at) => at >= fromMs && at <= untilMs).sort((a, b) => a - b);
}

/** The first instant at which the wall shows this time; where it never does, the first behind it. */
function soonest(wall: (ms: number) => number, local: number): number {
  let at = local - 16 * 60 * MINUTE;
  while (wall(at) < local) at += wall(at) < local - 3 * 60 * MINUTE ? 2 * 60 * MINUTE : MINUTE;
  return at;
}

const LIMITS = [60, 24, 32, 13, 7];

function valuesOf(field: string, limit: number): Set<number> {
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const [span, step] = part.split('/');
    if (span !== '*') values.add(Number(span));
    else for (let value = 0; value < limit; value += Number(step ?? 1)) values.add(value);
  }
  return values;
}

const walls = new Map<string, (ms: number) => number>();

/** What the clock on the wall shows at an instant, as if that were UTC. */
function wallOf(timeZone: string): (ms: number) => number {
  const known = walls.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
  const offsets = new Map<number, number>();
  const offsetAt = (ms: number): number => {
    const slot = Math.floor(ms / SLOT);
    const there = offsets.get(slot);
    if (there !== undefined) return there;
    const text = format.formatToParts(slot * SLOT).find(({ type }) => type === 'timeZoneName')!.value;
    const [, sign, hours, minutes] = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(text)!;
    const offset = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * MINUTE * (sign === '-' ? -1 : 1);
    offsets.set(slot, offset);
    return offset;
  };
  const wall = (ms: number): number => ms + offsetAt(ms);
  walls.set(timeZone, wall);
  return wall;
}
