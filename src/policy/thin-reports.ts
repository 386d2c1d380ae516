import { DAY_MS } from './duration.ts';

export interface KeptReport {
  readonly name: string;
  readonly atMs: number;
  readonly kind: 'report' | 'sent';
}

/** So many of the newest reports stay whole; of what is older, one of each day. */
export const KEPT_REPORTS = 1000;
/** Words of what was sent count with the newest report alone; a few more stay, for who looks after what happened. */
const KEPT_SENT = 10;

/** Which objects of the monitor can go, the oldest first. Open alerts live in the newest report, which always stays. */
export function thinReports(records: readonly KeptReport[], kept = KEPT_REPORTS): string[] {
  const ordered = records.toSorted((a, b) => a.atMs - b.atMs);
  const reports = ordered.filter(({ kind }) => kind === 'report');
  const days = new Set<number>();
  const gone = reports.slice(0, Math.max(0, reports.length - kept)).filter(({ atMs }) => {
    const day = Math.floor(atMs / DAY_MS);
    if (days.has(day)) return true;
    days.add(day);
    return false;
  });
  const sent = ordered.filter(({ kind }) => kind === 'sent').slice(0, -KEPT_SENT);
  return [...gone, ...sent].sort((a, b) => a.atMs - b.atMs).map(({ name }) => name);
}
