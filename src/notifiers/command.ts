import { type ChildProcess, spawn } from 'node:child_process';
import type { Alert, Notifier } from '../core/alert.ts';
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

function run(
  { argv, env, cwd }: Omit<CommandOptions, 'name' | 'timeoutMs'>,
  alert: Alert,
  ends: AbortSignal,
): Promise<Undelivered | null> {
  return new Promise((resolve) => {
    const [program, ...words] = argv;
    // A group of its own, so that whatever it started ends with it.
    const child = spawn(program!, words, {
      ...{ cwd, env: { ...env, ...variablesOf(alert) }, stdio: ['pipe', 'ignore', 'ignore'] },
      detached: process.platform !== 'win32',
    });
    const end = (reason: string | null): void => {
      ends.removeEventListener('abort', stop);
      resolve(reason === null ? null : { reason, mayPass: false });
    };
    const stop = (): void => {
      endGroup(child);
      end('did not end in time');
    };
    ends.addEventListener('abort', stop, { once: true });
    child.on('error', (error: NodeJS.ErrnoException) =>
      end(`could not be started (${error.code ?? 'unknown'})`),
    );
    child.on('close', (code, signal) => end(code === 0 ? null : `ended with ${code ?? signal}`));
    // Who does not read it closes the pipe: no failure.
    child.stdin!.on('error', () => {});
    child.stdin!.end(`${JSON.stringify(alert)}\n`);
  });
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

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
