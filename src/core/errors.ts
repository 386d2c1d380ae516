/**
 * Every failure that a user can meet, with the exit code it ends the command with.
 * `retryable` says that the same call may succeed later with nothing changed by the user.
 */
export const ERROR_CODES = {
  internal: { exitCode: 1, retryable: false },
  usage: { exitCode: 2, retryable: false },
  config_invalid: { exitCode: 2, retryable: false },
  event_invalid: { exitCode: 2, retryable: false },
  backup_not_found: { exitCode: 3, retryable: false },
  no_backups: { exitCode: 3, retryable: false },
  no_restore_point: { exitCode: 3, retryable: false },
  stream_not_found: { exitCode: 3, retryable: false },
  damaged: { exitCode: 4, retryable: false },
  verification_failed: { exitCode: 4, retryable: false },
  store_diverged: { exitCode: 4, retryable: false },
  feed_lost: { exitCode: 4, retryable: false },
  log_gap: { exitCode: 4, retryable: false },
  store_unreachable: { exitCode: 5, retryable: true },
  store_refused: { exitCode: 5, retryable: false },
  store_behind: { exitCode: 5, retryable: true },
  store_unsupported: { exitCode: 5, retryable: false },
  not_an_event_store: { exitCode: 5, retryable: false },
  value_not_storable: { exitCode: 5, retryable: false },
  version_conflict: { exitCode: 5, retryable: true },
  check_refused: { exitCode: 5, retryable: false },
  check_timed_out: { exitCode: 5, retryable: true },
  vault_unreachable: { exitCode: 6, retryable: true },
  vault_refused: { exitCode: 6, retryable: false },
  vault_full: { exitCode: 6, retryable: true },
  vault_object_exists: { exitCode: 6, retryable: false },
  vault_object_missing: { exitCode: 6, retryable: false },
  object_archived: { exitCode: 6, retryable: true },
  lease_held: { exitCode: 7, retryable: true },
  key_missing: { exitCode: 8, retryable: false },
  key_wrong: { exitCode: 8, retryable: false },
  key_refused: { exitCode: 8, retryable: false },
  key_unreachable: { exitCode: 8, retryable: true },
  seal_required: { exitCode: 8, retryable: false },
  signature_invalid: { exitCode: 8, retryable: false },
  target_not_empty: { exitCode: 9, retryable: false },
  would_overwrite: { exitCode: 9, retryable: false },
  would_lose: { exitCode: 9, retryable: false },
  partial: { exitCode: 10, retryable: false },
  plan_not_found: { exitCode: 3, retryable: false },
  plan_outdated: { exitCode: 9, retryable: false },
  run_unfinished: { exitCode: 9, retryable: false },
  recovery_refused: { exitCode: 9, retryable: false },
  fence_failed: { exitCode: 9, retryable: true },
  name_changed: { exitCode: 9, retryable: false },
  name_refused: { exitCode: 10, retryable: true },
  action_failed: { exitCode: 10, retryable: true },
  recovery_stopped: { exitCode: 10, retryable: true },
  notification_failed: { exitCode: 10, retryable: true },
  queue_unreachable: { exitCode: 11, retryable: true },
  queue_refused: { exitCode: 11, retryable: false },
  interrupted: { exitCode: 130, retryable: true },
} as const satisfies Record<string, { exitCode: number; retryable: boolean }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface BackupErrorOptions {
  /** One sentence with the way out, for a person. */
  readonly hint?: string;
  /** Named values for programs. Never a secret. */
  readonly facts?: Readonly<Record<string, string | number | boolean | null>>;
  readonly cause?: unknown;
}

/**
 * The one error class. `message` names the thing and the value; `hint` says what to do.
 * Messages start in lower case and end without a period.
 */
export class BackupError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | null;
  readonly retryable: boolean;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;

  constructor(code: ErrorCode, message: string, options: BackupErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'BackupError';
    this.code = code;
    this.hint = options.hint ?? null;
    this.retryable = ERROR_CODES[code].retryable;
    this.facts = options.facts ?? {};
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exitCode;
  }
}

/** True when `error` is a BackupError with one of `codes` (any code when none is given). */
export function isBackupError(error: unknown, ...codes: ErrorCode[]): error is BackupError {
  return error instanceof BackupError && (codes.length === 0 || codes.includes(error.code));
}

/** Throws `interrupted` when the signal has fired; called between units of work. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new BackupError('interrupted', 'interrupted');
}
