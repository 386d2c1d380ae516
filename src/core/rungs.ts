/**
 * The rungs of the ladder on which backups and logs are verified, from what costs least up. What a rung proves stands on those
 * below it. `size`: lengths, chunk tables that cover their files, files of a log that follow one another. `seal`: keys, tags and
 * signatures. `structure`: of each event the id, stream, version and time. `counts`: counts, heads and the place in a chain.
 * `completeness`: against the live store.
 */
export const RUNGS = [
  ...(['existence', 'size', 'checksum', 'seal', 'decode'] as const),
  ...(['structure', 'order', 'counts', 'completeness'] as const),
] as const;

export type Rung = (typeof RUNGS)[number];

export interface RungResult {
  readonly name: Rung;
  readonly state: 'passed' | 'failed' | 'skipped';
  /** Of what was skipped: why. */
  readonly reason?: string;
}
