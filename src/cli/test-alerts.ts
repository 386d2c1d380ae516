import type { Alert, Notifier } from '../core/alert.ts';
import { BackupError, ERROR_CODES, isBackupError } from '../core/errors.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import { redactAddress } from './address.ts';
import type { Settings } from './config.ts';
import type { CommandContext } from './context.ts';
import { formatDuration, printable } from './units.ts';
import { systemClock } from './wire.ts';

/** Each is told of nothing, to see that it can be told of something. */
export async function testAlerts(
  context: CommandContext,
  settings: Settings,
  notifiers: readonly Notifier[],
): Promise<number> {
  if (notifiers.length === 0) {
    throw new BackupError('usage', 'no notifier is configured', {
      hint: 'write `notify:` into the configuration (docs/monitor.md)',
    });
  }
  const results: { notifier: string; delivered: boolean; message: string | null; durationMs: number }[] = [];
  for (const notifier of notifiers) {
    const begunMs = performance.now();
    const message = await tryNotifier(notifier, testAlert(settings), context.signal);
    const durationMs = Math.round(performance.now() - begunMs);
    results.push({ notifier: notifier.name, delivered: message === null, message, durationMs });
  }
  const { output } = context;
  const failed = results.filter(({ delivered }) => !delivered);
  output.document({ notifiers: results });
  output.answer(
    results.map(({ notifier, message, durationMs }) =>
      message === null
        ? `${output.paint('good', 'delivered')}  ${notifier}, ${formatDuration(durationMs)}`
        : `${output.paint('bad', 'failed')}     ${printable(message)}`,
    ),
  );
  return failed.length > 0 ? ERROR_CODES.notification_failed.exitCode : 0;
}

async function tryNotifier(notifier: Notifier, alert: Alert, signal: AbortSignal): Promise<string | null> {
  try {
    await notifier.notify(alert, { signal });
    return null;
  } catch (error) {
    if (isBackupError(error, 'notification_failed')) return error.message;
    throw error;
  }
}

function testAlert({ store }: Settings): Alert {
  const at = formatTime(timeFromUnixMs(systemClock.now()), 3);
  return {
    ...{ id: systemClock.uuid(), key: 'test_alert@monitor', state: 'raised', severity: 'warning' },
    title: 'a test: nothing is wrong',
    text: 'Somebody ran `eventcore monitor --test-alert` to see that alerts arrive. Nothing has to be done.',
    subject: store === null ? 'no store' : redactAddress(store),
    ...{ since: at, at, facts: { test: true } },
  };
}
