import type { Alert, Notifier } from '../core/alert.ts';
import { BackupError, throwIfAborted } from '../core/errors.ts';

/** Where lines go: the program's own log. */
export interface AlertLog {
  error(message: string, fields: AlertFields): void;
  warn(message: string, fields: AlertFields): void;
}

type AlertFields = Readonly<Record<string, string | number | boolean | null>>;

/** Tells it in the log: one line, or one JSON object. What is critical is an error there, so that no level hides it. */
export function logNotifier(name: string, log: AlertLog): Notifier {
  return {
    name,
    notify: async (alert, { signal } = {}) => {
      throwIfAborted(signal);
      const write = alert.severity === 'critical' && alert.state !== 'resolved' ? log.error : log.warn;
      try {
        write(`${alert.state}: ${alert.title}`, fieldsOf(alert));
      } catch (cause) {
        throw new BackupError('notification_failed', `${name}: the log could not be written`, { cause });
      }
    },
    close: async () => {},
  };
}

function fieldsOf({ id, key, state, severity, subject, since, text, facts }: Alert): AlertFields {
  return { ...facts, alert: id, key, state, severity, subject, since, text: text.replaceAll('\n', ' ') };
}
