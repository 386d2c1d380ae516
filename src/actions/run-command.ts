import { BackupError, type ErrorCode } from '../core/errors.ts';
import { type ProgramEnd, runProgram } from '../outside/run-program.ts';

/** A command of the operator's own. */
export interface OwnCommand {
  /** The program and its arguments, as they are: no shell reads them. */
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Of this process: only what a program needs to run at all is handed on. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told to the command as EVENTCORE_DR_…: `planId` as EVENTCORE_DR_PLAN_ID. */
  readonly facts?: Readonly<Record<string, string>>;
}

export interface CommandCall {
  /** Behind the configured words. */
  readonly words?: readonly string[];
  readonly facts?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface CommandEnd {
  readonly how: ProgramEnd['how'];
  /** The exit code, or the name of what ended it. */
  readonly code: number | string;
  readonly stdout: string;
  /** How it ended, and the last of what it said: for a message. */
  readonly words: string;
}

const MOST_STDOUT_BYTES = 64 << 10;
const MOST_STDERR_BYTES = 8 << 10;
const SHOWN_LINES = 5;
const SHOWN_CHARACTERS = 600;

/** Without these hardly anything runs. What else is in the environment may be secret, and is not the command's. */
const HANDED_ON = [
  ...[
    'PATH',
    'HOME',
    'USER',
    'LOGNAME',
    'SHELL',
    'LANG',
    'LC_ALL',
    'LC_CTYPE',
    'TZ',
    'TMPDIR',
    'SSH_AUTH_SOCK',
  ],
  ...['SystemRoot', 'TEMP', 'TMP', 'PATHEXT', 'ComSpec'],
];

/** Runs it until it ends or the signal fires, which ends all that it started. Never throws. */
export async function runCommand(command: OwnCommand, call: CommandCall): Promise<CommandEnd> {
  const end = await runProgram({
    ...{ command: [...command.argv, ...(call.words ?? [])], cwd: command.cwd, signal: call.signal },
    env: { ...handedOn(command.env), ...variablesOf({ ...command.facts, ...call.facts }) },
    keeps: { stdoutBytes: MOST_STDOUT_BYTES, stderrBytes: MOST_STDERR_BYTES },
  });
  const { how, code, stdout, stderr } = end;
  return { how, code, stdout: stdout.toString('utf8'), words: wordsOf({ how, code, stdout, stderr }) };
}

/** For plans: the words of the command, as far as they may be shown. */
export function showCommand({ argv }: Pick<OwnCommand, 'argv'>): string {
  return hideSecrets(
    argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(' '),
  );
}

export function commandFailed(
  code: ErrorCode,
  command: OwnCommand,
  { words, code: ended }: CommandEnd,
): BackupError {
  return new BackupError(code, `the command ${showCommand(command)} ${words}`, {
    hint: 'run it by hand, as the user of this process; it gets no more of the environment than PATH, HOME, the language and EVENTCORE_DR_…',
    facts: { ended },
  });
}

function handedOn(env: OwnCommand['env']): Record<string, string | undefined> {
  return Object.fromEntries(
    HANDED_ON.filter((name) => env[name] !== undefined).map((name) => [name, env[name]]),
  );
}

function variablesOf(facts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      `EVENTCORE_DR_${name.replaceAll(/[A-Z]/g, (c) => `_${c}`).replaceAll(/[^A-Za-z0-9]+/g, '_')}`.toUpperCase(),
      value.replaceAll('\0', ''),
    ]),
  );
}

function wordsOf({ how, code, stdout, stderr }: ProgramEnd): string {
  const said = lastLines(stderr.length > 0 ? stderr : stdout);
  const ending = {
    ended: `ended with ${typeof code === 'number' ? `exit code ${code}` : code}`,
    not_started: `could not be started (${code})`,
    stopped: 'did not end in time, and was ended with all that it started',
    too_much_output: `wrote more than ${MOST_STDOUT_BYTES} bytes to stdout, and was ended`,
  }[how];
  return said === '' ? ending : `${ending}; it last said: ${said}`;
}

const CONTROL = /[\p{Cc}\p{Cf}]+/gu;

function lastLines(output: Buffer): string {
  const lines = output
    .toString('utf8')
    .split(/[\r\n]+/)
    .map((line) => line.replaceAll(CONTROL, ' ').trim());
  const shown = lines.filter((line) => line !== '').slice(-SHOWN_LINES);
  return hideSecrets(shown.join(' | ')).slice(-SHOWN_CHARACTERS);
}

/** What a command says may name a password, as of an address. */
export function hideSecrets(text: string): string {
  return text
    .replaceAll(/(\/\/[^\s:/@]*):[^\s/@]+@/g, '$1:…@')
    .replaceAll(
      /((?:password|passwd|secret|token|apikey|api_key|authorization)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|(?:bearer\s+)?[^\s"',;&|]+)/gi,
      '$1…',
    )
    .replaceAll(/\b(bearer\s+)[\w.~+/=-]+/gi, '$1…')
    .replaceAll(/whsec_[A-Za-z0-9+/=]+/g, 'whsec_…');
}
