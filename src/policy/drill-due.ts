/** When the full restore of a drill is due. */

export interface DueFacts {
  /** When one passed last; null when none did. */
  readonly lastPassedAtMs: number | null;
  /** Null: each time. */
  readonly frequencyMs: number | null;
  readonly nowMs: number;
}

/** A schedule does not come to the second: what is due within this part of its span is due now, not one run later. */
const SLACK = 0.1;

/** Null when it is due; else why not, in words. */
export function whyNotDue({ lastPassedAtMs, frequencyMs, nowMs }: DueFacts): string | null {
  if (lastPassedAtMs === null || frequencyMs === null) return null;
  const ageMs = nowMs - lastPassedAtMs;
  // One that passed in the future says nothing: a clock was wrong.
  if (ageMs < 0 || ageMs >= frequencyMs * (1 - SLACK)) return null;
  const days = Math.floor(ageMs / 86_400_000);
  return `one passed ${days === 0 ? 'less than a day' : days === 1 ? 'a day' : `${days} days`} ago`;
}

export interface DrilledFacts {
  readonly lastPassedAtMs: number | null;
  /** The longest time that a passing drill may be ago; null when nothing says so. */
  readonly withinMs: number | null;
  readonly nowMs: number;
}

/** Whether the last passing drill is too long ago; null where nothing says how long that may be. */
export function isDrillOverdue({ lastPassedAtMs, withinMs, nowMs }: DrilledFacts): boolean | null {
  if (withinMs === null) return null;
  return lastPassedAtMs === null || nowMs - lastPassedAtMs > withinMs;
}
