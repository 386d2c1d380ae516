import type { Alert, Notifier } from '../core/alert.ts';
import { runProgram } from '../outside/run-program.ts';
import { deliver, type Undelivered } from './tries.ts';

export interface CommandOptions {
  readonly name: string;
  /** The program and its arguments, as they are: no shell reads them. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 30_000;

/**
 * Runs a program for each alert, which gets it as JSON on stdin and, field by field, in variables EVENTCORE_ALERT_…. It is done when
 * it ends with 0. What it writes is thrown away: it may hold secrets. Once: a program may have done half of what it does.
 */
export function commandNotifier({ name, timeoutMs = TIMEOUT_MS, ...options }: CommandOptions): Notifier {
  const limits = { tries: 1, tryMs: timeoutMs, deadlineMs: timeoutMs, backOffMs: 0 };
  return {
    name,
    notify: (alert, { signal } = {}) =>
      deliver(`${name} (the configured command)`, (ends) => run(options, alert, ends), limits, signal),
    close: async () => {},
  };
}

async function run(
  { argv, env, cwd }: Omit<CommandOptions, 'name' | 'timeoutMs'>,
  alert: Alert,
  signal: AbortSignal,
): Promise<Undelivered | null> {
  const { how, code } = await runProgram({
    ...{ command: argv, cwd, env: { ...env, ...variablesOf(alert) } },
    ...{ stdin: `${JSON.stringify(alert)}\n`, signal },
  });
  if (how === 'ended' && code === 0) return null;
  if (how === 'ended') return { reason: `ended with ${code}`, mayPass: false };
  const reason = how === 'stopped' ? 'did not end in time' : `could not be started (${code})`;
  return { reason, mayPass: false };
}

/** A system takes no variable of any length; on stdin it is whole. */
const MOST_CHARACTERS = 4000;
const FIELDS = ['id', 'key', 'state', 'severity', 'title', 'text', 'subject', 'since', 'at'] as const;

function variablesOf(alert: Alert): Record<string, string> {
  // A variable holds no null character either.
  return Object.fromEntries(
    FIELDS.map((field) => [
      `EVENTCORE_ALERT_${field.toUpperCase()}`,
      alert[field].slice(0, MOST_CHARACTERS).replaceAll('\0', ''),
    ]),
  );
}
