/**
 * Times as microseconds since 2000-01-01T00:00:00Z, the epoch that PostgreSQL's timestamptz uses: its
 * whole range then fits a 64-bit integer, and the two ends stand for its `infinity` and `-infinity`.
 */
export const TIME_INFINITY = 0x7fff_ffff_ffff_ffffn;
export const TIME_MINUS_INFINITY = -0x8000_0000_0000_0000n;

/** 2000-01-01 in microseconds since 1970. */
const EPOCH_OFFSET_US = 946_684_800_000_000n;
const US_PER_DAY = 86_400_000_000n;

/** Microseconds since 2000 for milliseconds since 1970. */
export function timeFromUnixMs(unixMs: number): bigint {
  return BigInt(Math.floor(unixMs)) * 1000n - EPOCH_OFFSET_US;
}

/** Milliseconds since 1970, rounded down; infinities become the ends of the number line. */
export function timeToUnixMs(time: bigint): number {
  if (time === TIME_INFINITY) return Number.POSITIVE_INFINITY;
  if (time === TIME_MINUS_INFINITY) return Number.NEGATIVE_INFINITY;
  return Math.floor(Number((time + EPOCH_OFFSET_US) / 1000n));
}

const LAST_UNIX_US = 0x7fff_ffff_ffff_ffffn;

/** Microseconds since 1970; null for what 64 bits do not hold: infinities, and the last thirty years of PostgreSQL's range. */
export function timeToUnixUs(time: bigint): bigint | null {
  if (time === TIME_MINUS_INFINITY || time > LAST_UNIX_US - EPOCH_OFFSET_US) return null;
  return time + EPOCH_OFFSET_US;
}

/**
 * RFC 3339 in UTC: `2026-11-23T04:05:06.123456Z`, with as many fraction digits as `digits` says (cut, not
 * rounded). Years outside 0000–9999 are written with a sign and six digits as ISO 8601 has them;
 * the two ends are `infinity` and `-infinity`.
 */
export function formatTime(time: bigint, digits: 3 | 6 = 6): string {
  if (time === TIME_INFINITY) return 'infinity';
  if (time === TIME_MINUS_INFINITY) return '-infinity';
  let days = time / US_PER_DAY;
  let rest = time % US_PER_DAY;
  if (rest < 0n) {
    rest += US_PER_DAY;
    days -= 1n;
  }
  const { year, month, day } = civilFromDays(Number(days) + DAYS_1970_TO_2000);
  const us = Number(rest);
  const second = Math.floor(us / 1e6);
  const clock = [Math.floor(second / 3600), Math.floor(second / 60) % 60, second % 60].map(two).join(':');
  const fraction = String(us % 1e6)
    .padStart(6, '0')
    .slice(0, digits);
  return `${formatYear(year)}-${two(month)}-${two(day)}T${clock}.${fraction}Z`;
}

const TIME_PATTERN =
  /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):?(\d\d))?$/;

/**
 * Reads what `formatTime` writes and what stores commonly keep: a space for the `T`, 0–9 fraction
 * digits (cut to six), an offset, or none (then UTC). Null when it is no time.
 */
export function parseTime(text: string): bigint | null {
  if (text === 'infinity') return TIME_INFINITY;
  if (text === '-infinity') return TIME_MINUS_INFINITY;
  const match = TIME_PATTERN.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return null;
  if (hour > 23 || minute > 59 || second > 59) return null;
  const fraction = Number((match[7] ?? '').slice(0, 6).padEnd(6, '0'));
  const offset =
    match[9] === undefined ? 0 : (match[9] === '-' ? -1 : 1) * (Number(match[10]) * 60 + Number(match[11]));
  const days = BigInt(daysFromCivil(year, month, day) - DAYS_1970_TO_2000);
  const seconds = BigInt(hour * 3600 + minute * 60 + second - offset * 60);
  const time = days * US_PER_DAY + seconds * 1_000_000n + BigInt(fraction);
  return time > TIME_MINUS_INFINITY && time < TIME_INFINITY ? time : null;
}

const DAYS_1970_TO_2000 = 10_957;

/** Howard Hinnant's civil_from_days (days since 1970 to the proleptic Gregorian calendar). */
function civilFromDays(days: number): { year: number; month: number; day: number } {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const mp = Math.floor((5 * dayOfYear + 2) / 153);
  const month = mp < 10 ? mp + 3 : mp - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * mp + 2) / 5) + 1,
  };
}

/** Howard Hinnant's days_from_civil, the other way round. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

function formatYear(year: number): string {
  if (year >= 0 && year <= 9999) return String(year).padStart(4, '0');
  return `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}`;
}
