/**
 * What is kept; a backup stays when any of these keeps it. Counts are of restore points, `within` and `log` milliseconds back
 * from now. Calendar rules keep the newest of each day, week (ISO), month or year.
 */
export interface RetentionRule {
  readonly last?: number;
  readonly withinMs?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
  /** Every instant of so long ago until now stays recoverable; absent: as long as the oldest backup that is kept. */
  readonly logMs?: number;
  /** So many whole chains stay, whatever else is said; 1 when absent, never less. */
  readonly minimumRedundancy?: number;
  /** Whose days the calendar rules count; UTC when absent. */
  readonly timeZone?: string;
}
