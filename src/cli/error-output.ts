import { BackupError, ERROR_CODES, isBackupError } from '../core/errors.ts';
import { printable } from '../core/units.ts';
import { redactText } from './address.ts';
import { makePaint, type Terminal, writeError } from './output.ts';

export interface ErrorOutputOptions {
  readonly json: boolean;
  /** With the stack and its causes (--log-level debug). */
  readonly stack: boolean;
  readonly stderr: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Whether failures of this command line are said as JSON: where it asks for it, and in the log of a daemon, as are its other lines. */
export function saysJson(words: readonly string[], stderr: Pick<Terminal, 'isTTY'>): boolean {
  const isDaemon = words.includes('serve') && !words.includes('--test-alert');
  return words.includes('--json') || (isDaemon && stderr.isTTY !== true);
}

/** Says what happened, to what, and the way out; gives the exit code. */
export function reportError(error: unknown, options: ErrorOutputOptions): number {
  const failure = isBackupError(error) ? error : unexpected(error);
  if (options.json) writeError(options.stderr, JSON.stringify({ error: errorDocument(failure, options) }));
  else for (const line of errorLines(failure, options)) writeError(options.stderr, line);
  return failure.exitCode;
}

function unexpected(error: unknown): BackupError {
  const message = error instanceof Error ? error.message : String(error);
  return new BackupError('internal', `unexpected failure: ${message || 'no message'}`, {
    hint: 'this is a bug: please report it with what the same command prints with --log-level debug',
    cause: error,
  });
}

/** Every value is cleaned by itself: in the finished JSON an escape sign could hide the end of a password. */
function errorDocument(failure: BackupError, options: ErrorOutputOptions): Record<string, unknown> {
  const { code, message, hint, facts } = failure;
  const clean = (value: unknown): unknown => (typeof value === 'string' ? redactText(value) : value);
  return {
    code,
    message: clean(message),
    hint: clean(hint),
    retryable: ERROR_CODES[code].retryable,
    facts: Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, clean(value)])),
    ...(options.stack ? { stack: clean(stackText(failure)) } : {}),
  };
}

function errorLines(failure: BackupError, options: ErrorOutputOptions): string[] {
  const paint = makePaint(options.stderr, options.env);
  const lines = [`${paint('bad', 'error:')} ${printable(failure.message)}`];
  if (failure.hint !== null) lines.push(`${paint('strong', 'hint:')} ${printable(failure.hint)}`);
  if (options.stack) lines.push(stackText(failure));
  return lines;
}

/** A chain of causes is never this long, unless it bites its tail. */
const MAX_CAUSES = 10;

function stackText(error: unknown): string {
  const stacks: string[] = [];
  let current: unknown = error;
  while (current instanceof Error && stacks.length < MAX_CAUSES) {
    stacks.push(current.stack ?? current.message);
    current = current.cause;
  }
  return stacks.join('\ncaused by: ');
}
