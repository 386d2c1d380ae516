/** What calendar rules count: days, ISO weeks (from Monday), months and years of a time zone. */
export type Period = 'day' | 'week' | 'month' | 'year';

/** The name of the period that an instant lies in: `2026-11-24`, `2026-W48`, `2026-11`, `2026`. */
export type Calendar = (ms: number, period: Period) => string;

/** Throws RangeError for a time zone that nobody knows. */
export function makeCalendar(timeZone: string): Calendar {
  const format = new Intl.DateTimeFormat('en', {
    ...{ timeZone, calendar: 'gregory', numberingSystem: 'latn' },
    ...{ year: 'numeric', month: '2-digit', day: '2-digit' },
  });
  return (ms, period) => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, value]));
    const [year, month, day] = [parts.get('year')!, parts.get('month')!, parts.get('day')!];
    if (period === 'week') return isoWeek(Number(year), Number(month), Number(day));
    if (period === 'year') return year;
    return period === 'month' ? `${year}-${month}` : `${year}-${month}-${day}`;
  };
}

const DAY_MS = 86_400_000;

/** A week belongs to the year that its Thursday lies in. Days are counted as if all had 24 hours: of dates, they have. */
function isoWeek(year: number, month: number, day: number): string {
  const date = Date.UTC(year, month - 1, day);
  const weekday = (new Date(date).getUTCDay() + 6) % 7;
  const thursday = date + (3 - weekday) * DAY_MS;
  const weekYear = new Date(thursday).getUTCFullYear();
  const week = 1 + Math.floor((thursday - Date.UTC(weekYear, 0, 1)) / (7 * DAY_MS));
  return `${weekYear}-W${String(week).padStart(2, '0')}`;
}
