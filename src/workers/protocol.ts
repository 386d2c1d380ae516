/** What a job says to whoever does it. `input` is of the kind's own shape. */
export interface JobOrder {
  readonly input: unknown;
  /** What addresses may name, of the coordinator's configuration: layouts and shards. */
  readonly names: unknown;
}

/**
 * Part of the name of the queue: workers that speak another one never see the job. It grows whenever what a job or a result holds changes
 * in a way that an older worker, or coordinator, would not understand.
 */
export const PROTOCOL = 2;

/** Jobs that others wait for go first. */
export const PRIORITY = { restore: 40, backup: 30, verify: 20, sync: 10, drill: 0 } as const;

export type Purpose = keyof typeof PRIORITY;

/** A coordinator says so often that it is still there. */
export const BEAT_MS = 5000;
/** One that was not heard for so long is taken for dead. */
export const SILENCE_MS = 60_000;
