import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { CommandResult } from '../daemon/run-job.ts';
import { type ChildMessage, readMessages } from './child-messages.ts';

export interface JobCommand {
  readonly words: readonly string[];
  readonly config: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** A line that the command logged, as JSON. */
  readonly onLog: (line: string) => void;
  /** What the command says of itself while it runs. Not called once it ended. */
  readonly onMessage?: (message: ChildMessage) => void;
}

/** The same file before and after building. */
const MAIN = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url),
);
/** What a command prints beyond this is not kept. */
const MOST_BYTES = 8 << 20;
const MOST_LINE = 16_384;
/** After it was told to stop, it may clean up for so long. */
const GRACE_MS = 60_000;

/**
 * Runs a command of this program in a process of its own, as somebody would type it: what it takes is given back when it ends, and a crash
 * of it is a result. Ends it when the signal fires or its time is over. It ends by itself when this process is gone.
 */
export function runJobCommand(command: JobCommand): Promise<CommandResult> {
  const { words, config, env, cwd, signal, deadlineMs } = command;
  const configured = config === null ? [] : ['--config', config];
  const child = spawn(process.execPath, [MAIN, ...words, '--json', '--log-level', 'info', ...configured], {
    ...{ cwd, env: { ...env }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  });
  const hear = (value: unknown): void => {
    for (const message of readMessages(value)) command.onMessage?.(message);
  };
  child.on('message', hear);
  const output = gather(child);
  const errors = readLines(child, command.onLog);
  const stop = stopper(child);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const deadline = Number.isFinite(deadlineMs) ? setTimeout(stop, deadlineMs) : undefined;
  return new Promise((resolve) => {
    let failure: string | null = null;
    const finish = (exitCode: number | null): void => {
      clearTimeout(deadline);
      child.off('message', hear);
      stop.done();
      signal.removeEventListener('abort', stop);
      const document = parse(output.text());
      const code = exitCode === 0 ? null : (errors.code ?? (failure === null ? null : 'internal'));
      const trouble = exitCode === 0 ? null : (errors.trouble ?? badChecks(document) ?? failure);
      resolve({ exitCode, code, trouble, facts: factsOf(document) });
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      failure = `the command could not be run (${error.code ?? 'unknown'})`;
      // One that never was does not end either.
      if (child.pid === undefined) finish(null);
    });
    child.once('close', finish);
  });
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

function gather({ stdout }: ChildProcess): { text: () => string } {
  const parts: Buffer[] = [];
  let bytes = 0;
  stdout?.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes <= MOST_BYTES) parts.push(part);
  });
  return { text: () => (bytes > MOST_BYTES ? '' : Buffer.concat(parts).toString()) };
}

interface SaidAtTheEnd {
  code: string | null;
  trouble: string | null;
}

/** Hands on what is logged; keeps the error that is said at the end. */
function readLines({ stderr }: ChildProcess, onLog: (line: string) => void): SaidAtTheEnd {
  const said: SaidAtTheEnd = { code: null, trouble: null };
  let rest = '';
  stderr?.setEncoding('utf8');
  stderr?.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!.slice(0, MOST_LINE);
    for (const line of lines) {
      if (line === '') continue;
      Object.assign(said, errorIn(line));
      onLog(line.slice(0, MOST_LINE));
    }
  });
  return said;
}

function errorIn(line: string): Partial<SaidAtTheEnd> {
  const { error } = (parse(line) ?? {}) as { readonly error?: Readonly<Record<string, unknown>> };
  if (typeof error?.code !== 'string' || typeof error.message !== 'string') return {};
  const hint = typeof error.hint === 'string' ? ` (${error.hint})` : '';
  return { code: error.code, trouble: `${error.message}${hint}` };
}

const MOST_NAMED = 5;

/** Of what the doctor answers: what is bad. */
function badChecks(document: unknown): string | null {
  const { checks } = (document ?? {}) as { readonly checks?: unknown };
  if (!Array.isArray(checks)) return null;
  const bad = (checks as Readonly<Record<string, unknown>>[]).filter(({ verdict }) => verdict === 'bad');
  const named = bad.slice(0, MOST_NAMED).map(({ name, message, hint }) => {
    return `${name}: ${message}${typeof hint === 'string' ? ` (${hint})` : ''}`;
  });
  const more = bad.length > MOST_NAMED ? [`and ${bad.length - MOST_NAMED} more`] : [];
  return bad.length === 0 ? null : [...named, ...more].join('; ');
}

/** The numbers at the top of what a command answered: counts, sizes, durations. Those that may pass 2^53 are texts there. */
function factsOf(value: unknown): Record<string, number> {
  if (typeof value !== 'object' || value === null) return {};
  const facts: Record<string, number> = {};
  for (const [name, fact] of Object.entries(value)) {
    const number = typeof fact === 'string' && /^\d{1,20}$/.test(fact) ? Number(fact) : fact;
    if (typeof number === 'number' && Number.isFinite(number)) facts[name] = number;
  }
  return facts;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
