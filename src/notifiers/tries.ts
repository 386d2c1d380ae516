import { BackupError, throwIfAborted } from '../core/errors.ts';
import { pause } from '../core/pause.ts';

/** Why something was not delivered. Never in the receiver's own words: these can repeat a secret. */
export interface Undelivered {
  readonly reason: string;
  /** Whether the same may go well in a moment. */
  readonly mayPass: boolean;
  /** What the receiver asked for. */
  readonly waitMs?: number;
}

export interface TryLimits {
  readonly tries: number;
  /** For one try, and for all of them with what lies between. */
  readonly tryMs: number;
  readonly deadlineMs: number;
  /** Before the second try; it doubles, and each wait is between half and the whole of it. */
  readonly backOffMs: number;
}

export const TRY_LIMITS: TryLimits = { tries: 4, tryMs: 10_000, deadlineMs: 30_000, backOffMs: 500 };

/** One try; null when it was delivered. Ends when its signal fires. */
export type Try = (signal: AbortSignal) => Promise<Undelivered | null>;

/** Tries until it is delivered, bounded in time and tries. Throws `notification_failed`, and `interrupted`. */
export async function deliver(
  what: string,
  attempt: Try,
  { tries, tryMs, deadlineMs, backOffMs }: TryLimits,
  signal?: AbortSignal,
): Promise<void> {
  const untilMs = performance.now() + deadlineMs;
  for (let made = 1; ; made += 1) {
    throwIfAborted(signal);
    const leftMs = untilMs - performance.now();
    const failure = await attempt(endOfTry(Math.max(1, Math.min(tryMs, leftMs)), signal));
    if (failure === null) return;
    throwIfAborted(signal);
    const waitMs = Math.max(failure.waitMs ?? 0, backOffMs * 2 ** (made - 1) * (0.5 + Math.random() / 2));
    const isLast = made >= tries || !failure.mayPass || performance.now() + waitMs >= untilMs;
    if (isLast) throw failed(what, failure.reason, made);
    await pause(waitMs, signal);
  }
}

function endOfTry(ms: number, signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(Math.ceil(ms));
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}

function failed(what: string, reason: string, made: number): BackupError {
  return new BackupError('notification_failed', `${what}: ${reason}${made === 1 ? '' : `, ${made} times`}`, {
    hint: 'what could not be told stays owed, and is sent with the next run; `eventcore monitor --test-alert` tries each notifier',
    facts: { notifier: what, tries: made },
  });
}
