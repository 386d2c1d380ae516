import type { Notifier } from '../core/alert.ts';
import { isBackupError } from '../core/errors.ts';
import type { OwedNotice } from '../core/monitor-state.ts';
import { sendOwed } from '../core/send-owed.ts';
import { type ServiceWords, serviceAlert } from '../policy/service-alert-text.ts';
import type { SentNotice } from './alert-state.ts';

export interface SendPorts {
  /** With their secrets, which are read now. */
  readonly openNotifiers: () => Promise<readonly Notifier[]>;
  readonly random: () => number;
  readonly steadyMs: () => number;
  /** Somebody could not be told: it stays owed. */
  readonly onUntold: (message: string) => void;
}

export interface Sender {
  /** Gives what was delivered. A notifier that fails is left alone for a while, longer each time. Never throws for what fails. */
  send(owed: readonly OwedNotice[], words: ServiceWords, signal: AbortSignal): Promise<readonly SentNotice[]>;
}

const FIRST_REST_MS = 60_000;
const LONGEST_REST_MS = 30 * 60_000;

interface Rest {
  readonly failures: number;
  readonly untilMs: number;
}

/** All of them: where secrets or addresses cannot be read. */
const ALL = '*';

export function makeSender(ports: SendPorts): Sender {
  const rests = new Map<string, Rest>();
  const isResting = (name: string): boolean => (rests.get(name)?.untilMs ?? 0) > ports.steadyMs();
  const fail = (name: string, message: string): void => {
    const failures = (rests.get(name)?.failures ?? 0) + 1;
    const restMs = Math.min(FIRST_REST_MS * 2 ** Math.min(failures - 1, 20), LONGEST_REST_MS);
    rests.set(name, { failures, untilMs: ports.steadyMs() + restMs });
    ports.onUntold(message);
  };
  const openAll = async (): Promise<readonly Notifier[]> => {
    try {
      const opened = await ports.openNotifiers();
      rests.delete(ALL);
      return opened;
    } catch (error) {
      if (!isBackupError(error)) throw error;
      fail(ALL, error.message);
      return [];
    }
  };
  return {
    send: async (owed, words, signal) => {
      const names = new Set(owed.flatMap(({ to }) => to).filter((name) => !isResting(name)));
      if (names.size === 0 || isResting(ALL)) return [];
      const opened = await openAll();
      try {
        const notifiers = opened.filter(({ name }) => names.has(name));
        const alertOf = (notice: OwedNotice) => serviceAlert(notice, words);
        const { sent, failed } = await sendOwed(owed, { notifiers, alertOf, signal, random: ports.random });
        for (const name of sent.flatMap(({ to }) => to)) rests.delete(name);
        const messages = new Map(failed.map(({ notifier, message }) => [notifier, message]));
        if (!signal.aborted) for (const [name, message] of messages) fail(name, message);
        return sent;
      } finally {
        for (const notifier of opened) await notifier.close();
      }
    },
  };
}
