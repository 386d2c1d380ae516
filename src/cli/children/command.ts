import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type ChildMessage, readMessages } from './messages.ts';

export interface ChildCommand {
  readonly words: readonly string[];
  readonly config: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** Less of the machine than others get, from 1 to 19; left out: as much. */
  readonly niceness?: number;
  /** What it prints beyond this is not kept; left out: 8 MiB. */
  readonly mostBytes?: number;
  /** A line that the command logged, as JSON. */
  readonly onLog?: (line: string) => void;
  /** What the command says of itself while it runs. Not called once it ended. */
  readonly onMessage?: (message: ChildMessage) => void;
}

/** Of a command that failed, as it said it. */
export interface ChildError {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;
}

export interface ChildResult {
  /** Null where a signal ended it, or it never was. */
  readonly exitCode: number | null;
  /** What it answered; null where that was nothing, or too much. */
  readonly document: unknown;
  /** What it printed. */
  readonly sizeBytes: number;
  readonly error: ChildError | null;
  /** Why it could not be run at all, or was told to stop; null: neither. */
  readonly failure: string | null;
}

/** The same file before and after building. */
const MAIN = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url),
);
const MOST_BYTES = 8 << 20;
const MOST_LINE = 16_384;
/** After it was told to stop, it may clean up for so long. */
const GRACE_MS = 60_000;

/**
 * Runs a command of this program in a process of its own, as somebody would type it: what it takes is given back when it ends, and a crash
 * of it is a result. Ends it when the signal fires or its time is over. It ends by itself when this process is gone.
 */
export function runChild(command: ChildCommand): Promise<ChildResult> {
  const { words, config, env, cwd, signal, deadlineMs } = command;
  const configured = config === null ? [] : ['--config', config];
  const child = spawn(process.execPath, [MAIN, ...words, '--json', '--log-level', 'info', ...configured], {
    ...{ cwd, env: { ...env }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  });
  if (command.niceness !== undefined) makeNice(child, command.niceness);
  const hear = (value: unknown): void => {
    for (const message of readMessages(value)) command.onMessage?.(message);
  };
  child.on('message', hear);
  const output = gather(child, command.mostBytes ?? MOST_BYTES);
  const said = readLines(child, command.onLog ?? (() => undefined));
  let failure: string | null = null;
  const stop = stopper(child);
  const end = (): void => stop();
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) stop();
  const overdue = (): void => {
    failure = `it did not end within ${Math.round(deadlineMs / 1000)} s`;
    stop();
  };
  const deadline = Number.isFinite(deadlineMs) ? setTimeout(overdue, deadlineMs) : undefined;
  return new Promise((resolve) => {
    const finish = (exitCode: number | null): void => {
      clearTimeout(deadline);
      child.off('message', hear);
      stop.done();
      signal.removeEventListener('abort', end);
      resolve({
        exitCode,
        document: parse(output.text()),
        sizeBytes: output.bytes(),
        error: said.error,
        failure,
      });
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      failure = `the command could not be run (${error.code ?? 'unknown'})`;
      // One that never was does not end either.
      if (child.pid === undefined) finish(null);
    });
    child.once('close', finish);
  });
}

function makeNice({ pid }: ChildProcess, niceness: number): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, niceness);
  } catch {
    // It is over already, or the system has no such thing.
  }
}

/** Tells the process to stop, and ends it when it does not. */
function stopper(child: ChildProcess): (() => void) & { done: () => void } {
  let kill: NodeJS.Timeout | undefined;
  const stop = (): void => {
    if (child.exitCode !== null || child.signalCode !== null || kill !== undefined) return;
    child.kill('SIGTERM');
    kill = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  };
  return Object.assign(stop, { done: () => clearTimeout(kill) });
}

interface Gathered {
  readonly text: () => string;
  readonly bytes: () => number;
}

function gather({ stdout }: ChildProcess, mostBytes: number): Gathered {
  const parts: Buffer[] = [];
  let bytes = 0;
  stdout?.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes <= mostBytes) parts.push(part);
    else parts.length = 0;
  });
  return { text: () => (bytes > mostBytes ? '' : Buffer.concat(parts).toString()), bytes: () => bytes };
}

/** Hands on what is logged; keeps the error that is said at the end. */
function readLines({ stderr }: ChildProcess, onLog: (line: string) => void): { error: ChildError | null } {
  const said: { error: ChildError | null } = { error: null };
  let rest = '';
  stderr?.setEncoding('utf8');
  stderr?.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!.slice(0, MOST_LINE);
    for (const line of lines) {
      if (line === '') continue;
      said.error = errorIn(line) ?? said.error;
      onLog(line.slice(0, MOST_LINE));
    }
  });
  return said;
}

function errorIn(line: string): ChildError | null {
  const { error } = (parse(line) ?? {}) as { readonly error?: Readonly<Record<string, unknown>> };
  if (typeof error?.code !== 'string' || typeof error.message !== 'string') return null;
  const { code, message, hint, facts } = error;
  return { code, message, hint: typeof hint === 'string' ? hint : null, facts: plainFacts(facts) };
}

function plainFacts(value: unknown): ChildError['facts'] {
  const facts = Object.entries(typeof value === 'object' && value !== null ? value : {});
  const isPlain = (fact: unknown): boolean =>
    fact === null || ['string', 'number', 'boolean'].includes(typeof fact);
  return Object.fromEntries(facts.filter(([, fact]) => isPlain(fact)));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
