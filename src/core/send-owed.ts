import type { Alert, Notifier } from './alert.ts';
import { isBackupError } from './errors.ts';
import { alertKey, type OwedNotice } from './monitor-state.ts';

export interface Sending {
  readonly notifiers: readonly Notifier[];
  readonly alertOf: (notice: OwedNotice) => Alert;
  readonly signal: AbortSignal | undefined;
  /** From 0 to 1; with whom to begin. */
  readonly random: () => number;
}

export interface SendReport {
  readonly sent: readonly { readonly id: string; readonly to: readonly string[] }[];
  readonly failed: readonly { readonly notifier: string; readonly message: string }[];
}

/** A notifier that failed so often in a row is left alone until the next run. */
const MOST_FAILURES = 3;
/** Nor is one waited for longer than this in one run. */
const MOST_MS = 300_000;

/** Sends what is owed, to all notifiers at the same time. What fails is said, and stays owed. */
export async function sendOwed(owed: readonly OwedNotice[], sending: Sending): Promise<SendReport> {
  const results = await Promise.all(sending.notifiers.map((notifier) => sendTo(notifier, owed, sending)));
  return {
    sent: results.flatMap(({ ids, name }) => ids.map((id) => ({ id, to: [name] }))),
    failed: results.flatMap(({ name, messages }) => messages.map((message) => ({ notifier: name, message }))),
  };
}

interface SentTo {
  readonly name: string;
  readonly ids: readonly string[];
  readonly messages: readonly string[];
}

/**
 * About one thing in order, and nothing more about it once something failed: nobody hears of an end before its beginning. Where it begins is left
 * to chance, so that one notice that a receiver never takes does not keep back others for ever.
 */
async function sendTo(notifier: Notifier, owed: readonly OwedNotice[], sending: Sending): Promise<SentTo> {
  const { name } = notifier;
  const mine = owed.filter(({ to }) => to.includes(name));
  const groups = [...Map.groupBy(mine, alertKey).values()];
  const first = Math.floor(sending.random() * groups.length);
  const ids: string[] = [];
  const messages: string[] = [];
  let failures = 0;
  const untilMs = performance.now() + MOST_MS;
  for (const group of [...groups.slice(first), ...groups.slice(0, first)]) {
    for (const notice of group) {
      if (sending.signal?.aborted || failures === MOST_FAILURES || performance.now() > untilMs)
        return { name, ids, messages };
      const message = await sendOne(notifier, sending.alertOf(notice), sending.signal);
      if (message === null) {
        ids.push(notice.id);
        failures = 0;
      } else {
        messages.push(message);
        failures += 1;
        break;
      }
    }
  }
  return { name, ids, messages };
}

/** Null when it was delivered. */
async function sendOne(
  notifier: Notifier,
  alert: Alert,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  try {
    await notifier.notify(alert, signal === undefined ? {} : { signal });
    return null;
  } catch (error) {
    if (isBackupError(error, 'notification_failed', 'interrupted')) return error.message;
    throw error;
  }
}
