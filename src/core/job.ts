/** What a daemon does again and again, each as a command of its own. */
export const JOB_NAMES = [
  'full',
  'incremental',
  'archive',
  'sync',
  'prune',
  'verify',
  'monitor',
  'drill',
  'sample',
  'doctor',
] as const;

export type JobName = (typeof JOB_NAMES)[number];

/** What somebody may ask for beside its schedule: it removes nothing, and ends by itself. */
export const ASKABLE_JOBS: ReadonlySet<JobName> = new Set([
  ...(['full', 'incremental', 'sync', 'verify', 'drill', 'doctor'] as const),
]);

/** Jobs that run until they are stopped: they never end well, but go well while they run for `STEADY_RUN_MS`. */
export const ENDLESS_JOBS: ReadonlySet<JobName> = new Set(['archive', 'monitor', 'sample']);
export const STEADY_RUN_MS = 10 * 60_000;

/** One run of a job for the time that it was wanted for. */
export interface JobRun {
  readonly job: JobName;
  /** RFC 3339, with milliseconds, as are the others. */
  readonly wantedAt: string;
  /** From 1. */
  readonly attempt: number;
}

/** Written before a run does anything. */
export interface JobBegin extends JobRun {
  readonly startedAt: string;
  /** Which process runs it, for people. */
  readonly daemon: string;
  readonly software: string;
  /** Why it runs, in words. */
  readonly reason: string;
  /** Earlier times that went by without a run. */
  readonly missed: number;
}

/** `interrupted`: the daemon was stopped, which is no failure. */
export type JobState = 'succeeded' | 'failed' | 'interrupted';

/** Written when it is over. Names no stream, and holds nothing of an event. */
export interface JobEnd extends JobRun {
  readonly endedAt: string;
  readonly durationMs: number;
  readonly state: JobState;
  /** Of the command; null where a signal ended it. */
  readonly exitCode: number | null;
  /** Of the failure: see `core/errors.ts`. */
  readonly code: string | null;
  /** Numbers of what was done, such as events and bytes. */
  readonly facts: Readonly<Record<string, number>>;
}

/** What is on record of a run. */
export interface RecordedRun {
  readonly begin: JobBegin;
  /** Null: it runs, or died without a word. */
  readonly end: JobEnd | null;
}

/** How far a running command is, as it says itself. */
export interface JobProgress {
  /** In words: `reading events`. */
  readonly step: string;
  readonly events: number;
  readonly bytes: number;
  /** Null: not known. */
  readonly totalEvents: number | null;
  readonly totalBytes: number | null;
  /** When this step began, and when this was said. */
  readonly sinceMs: number;
  readonly atMs: number;
}
