import type { Alert, Notifier } from '../../core/alert.ts';
import { BackupError, ERROR_CODES, isBackupError } from '../../core/errors.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import { formatDuration, printable } from '../../core/units.ts';
import { formatSpan } from '../../policy/duration.ts';
import { redactAddress } from '../address.ts';
import type { Settings } from '../config/config.ts';
import type { CommandContext } from '../context.ts';
import { openNotifiers, type RuledNotifier } from '../notifiers.ts';
import { systemClock } from '../wire.ts';

/** A configuration whose notifiers are tried. */
export interface Tested {
  /** As the daemon calls it; null: it is the only one. */
  readonly store: string | null;
  readonly settings: Settings;
}

interface Result {
  readonly store: string | null;
  readonly notifier: RuledNotifier;
  /** Null: it was delivered. */
  readonly message: string | null;
  readonly durationMs: number;
}

/** Each is told of nothing, to see that it can be told of something: also those that are there for some alerts only. Throws `usage` for none. */
export async function testAlerts(context: CommandContext, tested: readonly Tested[]): Promise<number> {
  const results: Result[] = [];
  for (const one of tested) results.push(...(await testOne(context, one)));
  if (results.length === 0) {
    throw new BackupError('usage', 'no notifier is configured', {
      hint: 'write `notify:` into the configuration (docs/notifications.md)',
    });
  }
  const { output } = context;
  output.document({ notifiers: results.map(documentOf) });
  output.answer(
    results.map((result) =>
      result.message === null
        ? `${output.paint('good', 'delivered')}  ${nameOf(result)}, ${formatDuration(result.durationMs)}${ruleOf(result)}`
        : `${output.paint('bad', 'failed')}     ${printable(`${placeOf(result)}${result.message}`)}`,
    ),
  );
  const isWell = results.every(({ message }) => message === null);
  return isWell ? 0 : ERROR_CODES.notification_failed.exitCode;
}

async function testOne(context: CommandContext, { store, settings }: Tested): Promise<Result[]> {
  const notifiers = await openNotifiers(settings, context);
  const results: Result[] = [];
  try {
    for (const notifier of notifiers) {
      const begunMs = performance.now();
      const message = await tryNotifier(notifier, testAlert(settings), context.signal);
      results.push({ store, notifier, message, durationMs: Math.round(performance.now() - begunMs) });
    }
    return results;
  } finally {
    for (const notifier of notifiers) await notifier.close();
  }
}

function documentOf({ store, notifier, message, durationMs }: Result) {
  const { name, criticalOnly = false, afterMs = 0 } = notifier;
  return {
    ...(store === null ? {} : { store }),
    ...{ notifier: name, delivered: message === null, message, durationMs, criticalOnly, afterMs },
  };
}

function placeOf({ store }: Result): string {
  return store === null ? '' : `${store}: `;
}

function nameOf(result: Result): string {
  return `${placeOf(result)}${result.notifier.name}`;
}

/** That a test arrives does not mean that all does. */
function ruleOf({ notifier: { criticalOnly = false, afterMs = 0 } }: Result): string {
  const rules = [
    ...(criticalOnly ? ['only what is critical'] : []),
    ...(afterMs > 0 ? [`only what is open for ${formatSpan(afterMs)}`] : []),
  ];
  return rules.length === 0 ? '' : ` (is told ${rules.join(', ')})`;
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
    text: 'Somebody ran `--test-alert` to see that alerts arrive. Nothing has to be done.',
    subject: store === null ? 'no store' : redactAddress(store),
    ...{ since: at, at, facts: { test: true } },
  };
}
