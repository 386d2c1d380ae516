/** When, behind its time, each of many jobs begins that are due at the same time: pure, and the same in every daemon and after every start. */

/** How a job of a store is spread. */
export interface Spread {
  /** Store and job: it decides how late in the window they begin. */
  readonly key: string;
  /** Runs begin up to so much behind their time. */
  readonly windowMs: number;
  /** What the store is promised to lose at most, of a job that keeps the promise; null: nothing is promised. */
  readonly rpoMs: number | null;
}

/** Of the room between schedule and promise so much is left to the run itself. */
const MOST_MARGIN_MS = 15 * 60_000;

export interface SpreadTime {
  /** The scheduled time, and the one behind it. */
  readonly atMs: number;
  readonly nextMs: number;
  /** Of the last run: the time that it was wanted for, and when it began. */
  readonly lastWantedMs: number;
  readonly lastStartedMs: number;
}

/**
 * When a run for a scheduled time begins: always as far behind it, so that runs of a store come as regularly as the schedule. Where the run
 * before was out of turn (the first one, or one that somebody asked for), it begins earlier than that if else more time would pass between
 * the two than is promised; but never before its time.
 */
export function spreadStart(
  spread: Spread,
  { atMs, nextMs, lastWantedMs, lastStartedMs }: SpreadTime,
): number {
  const { windowMs, rpoMs } = spread;
  const spreadMs = atMs + shareOf(spread.key) * Math.max(0, Math.min(windowMs, nextMs - atMs));
  if (rpoMs === null) return Math.floor(spreadMs);
  const gapMs = atMs - lastWantedMs;
  const marginMs = Math.min(MOST_MARGIN_MS, Math.max(0, rpoMs - gapMs));
  const latestMs = lastStartedMs + Math.max(rpoMs - marginMs, gapMs);
  return Math.floor(Math.min(spreadMs, Math.max(atMs, latestMs)));
}

/** From 0 to less than 1, evenly: FNV-1a, then mixed (MurmurHash3's last step), since names that differ in their end alone would lie side by side. */
export function shareOf(key: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
