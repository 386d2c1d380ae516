import type { JobName, JobProgress } from '../core/job.ts';
import type { Objective, StoreStatus } from '../core/status.ts';
import type { JobView } from '../daemon/registry.ts';

/**
 * What the console knows and can do. Pages are made of what the daemon has in memory anyway and of what commands answer with `--json`, so a
 * page and the command line say the same thing. Nothing here reads a store or a vault by itself.
 */
export interface ConsolePorts {
  /** In the order of the command line. */
  readonly stores: () => readonly ConsoleStore[];
  /** Somebody looks at a store: what is known of it is not to be old. */
  readonly look: (store: string) => void;
  readonly ask: Ask;
  readonly actions: ConsoleActions;
  readonly operations: () => readonly Operation[];
  /** The newest first; bounded. */
  readonly audit: () => readonly AuditEntry[];
  readonly now: () => number;
  /** Name and version of this program. */
  readonly software: string;
}

export interface ConsoleStore {
  /** As the daemon calls it; stands in addresses of pages. */
  readonly name: string;
  /** Addresses without passwords. */
  readonly store: string;
  readonly vault: string;
  /** What it is told apart by in a fleet. */
  readonly labels: Readonly<Record<string, string>>;
  /** The configuration, for commands that are shown. */
  readonly config: string;
  readonly jobs: readonly JobView[];
  /** Null: not known yet. */
  readonly status: StoreStatus | null;
  /** As of now, not of when the status was asked. */
  readonly objectives: readonly Objective[];
  /** Why the status could not be asked the last time; null: it could. */
  readonly trouble: string | null;
  /** Into which new stores it may be restored from here; none: commands are shown instead. */
  readonly restoreTargets: readonly RestoreTarget[];
}

/** A place that the configuration allows; a restore from here makes a new store in it and never replaces one. */
export interface RestoreTarget {
  /** Shown, and chosen by. */
  readonly name: string;
  readonly kind: 'sqlite' | 'postgres';
  /** Where, without a password. */
  readonly place: string;
}

/** A question that a command of this program answers with one JSON document. It changes nothing, in store or vault. */
export interface Question {
  readonly store: string;
  /** Words of the command, as ['list'] or ['restore', '--dry-run', …]; `--json` and the configuration are added. */
  readonly words: readonly string[];
  /** An answer that is not older is taken from memory. */
  readonly maxAgeMs: number;
}

export type Answer =
  | {
      readonly state: 'answered';
      readonly document: unknown;
      readonly atMs: number;
      readonly exitCode: number;
    }
  | {
      readonly state: 'failed';
      readonly code: string | null;
      readonly message: string;
      readonly hint: string | null;
      /** Named values, as the error document of the command has them; none where it left none. */
      readonly facts: Readonly<Record<string, string | number | boolean | null>>;
      readonly atMs: number;
    }
  /** It is being asked: the page says so, and comes again by itself. */
  | { readonly state: 'asking'; readonly sinceMs: number }
  /** Too many questions wait. */
  | { readonly state: 'busy' };

/**
 * Equal questions are asked once, few at a time, with less of the machine than jobs get; how many wait and how many answers are kept is bounded.
 * Waits for an answer for a moment, and no longer. Never throws for what a command says.
 */
export type Ask = (question: Question) => Promise<Answer>;

export interface ConsoleActions {
  /** Has a job run as soon as it can, whatever its schedule; `unknown`: the store has no such job. */
  runJob(store: string, job: JobName, who: string): 'asked' | 'runs_already' | 'unknown';
  /** Restores a point into a new store. */
  restore(request: RestoreRequest, who: string): OperationStart;
  /** Verifies one backup, beside the schedule. */
  verify(store: string, backupId: string, who: string): OperationStart;
  /** Ends an operation that runs, as Ctrl-C would. */
  cancel(operationId: string, who: string): 'cancelled' | 'unknown';
}

export interface RestoreRequest {
  readonly store: string;
  /** As `restore` takes them: --at TIME, --backup ID, --before-event ID; none: the newest point. */
  readonly point: { readonly flag: 'at' | 'backup' | 'before-event' | 'lsn'; readonly value: string } | null;
  /** Only these. */
  readonly streams: readonly string[];
  /** Name of a `RestoreTarget`. */
  readonly target: string;
}

export type OperationStart =
  | { readonly state: 'started'; readonly operationId: string }
  /** Why not, and the way out. */
  | { readonly state: 'refused'; readonly message: string; readonly hint: string };

/** A command that somebody began from the console, in this daemon's memory. */
export interface Operation {
  readonly id: string;
  readonly store: string;
  readonly who: string;
  /** As one would type it, without secrets. */
  readonly command: string;
  /** One line, as `restore the state of 2026-11-29 10:00:00 UTC into shop-20261129-2`. */
  readonly title: string;
  readonly startedMs: number;
  readonly endedMs: number | null;
  readonly state: 'waits' | 'runs' | 'succeeded' | 'failed' | 'cancelled';
  readonly progress: JobProgress | null;
  /** What the command answered; null while it runs. */
  readonly document: unknown;
  /** What was wrong and the way out; null where nothing was. */
  readonly trouble: string | null;
}

/** What somebody did, tried or was refused. */
export interface AuditEntry {
  /** RFC 3339. */
  readonly at: string;
  /** Name of a token or of the proxy's user; `somebody` where nobody logged in. */
  readonly who: string;
  readonly from: string;
  /** `log_in`, `log_out`, `refused`, `run_job`, `restore`, `verify`, `cancel`. */
  readonly action: string;
  readonly subject: string;
  readonly outcome: 'done' | 'refused' | 'failed';
}
