import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

export interface ProgramRun {
  /** The program and its arguments, as they are: no shell reads them. Or one line, for the shell. */
  readonly command: readonly string[] | string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** How much of its output is kept; nothing of it where this is left out. */
  readonly keeps?: OutputKept;
  /** Ends it, with all that it started. */
  readonly signal: AbortSignal;
}

export interface OutputKept {
  /** Of stdout; who writes more is ended. */
  readonly stdoutBytes: number;
  /** Of stderr, the last of it. Zero: it is thrown away. */
  readonly stderrBytes: number;
}

export interface ProgramEnd {
  readonly how:
    | 'ended'
    /** There is no such program, or it may not be run. */
    | 'not_started'
    /** The signal fired. */
    | 'stopped'
    | 'too_much_output';
  /** The exit code, or the signal or system error by name. */
  readonly code: number | string;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** What it started may keep its output open: nobody waits longer for that once it has ended itself. */
const DRAIN_MS = 1000;

/** Runs a program and says how it ended; never throws. It gets a group of its own, so that whatever it started ends with it. */
export function runProgram(run: ProgramRun): Promise<ProgramEnd> {
  const { signal, keeps } = run;
  if (signal.aborted) return Promise.resolve({ how: 'stopped', code: 'ABORT', ...NO_OUTPUT });
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = start(run);
    } catch (error) {
      // Such as more words than the system takes.
      const { code = 'unknown' } = error as NodeJS.ErrnoException;
      return resolve({ how: 'not_started', code, ...NO_OUTPUT });
    }
    const output = collect(child, keeps, () => finish('too_much_output', 'EFBIG'));
    let drain: NodeJS.Timeout | undefined;
    const finish = (how: ProgramEnd['how'], code: number | string): void => {
      signal.removeEventListener('abort', stop);
      clearTimeout(drain);
      if (how !== 'ended') endGroup(child);
      // Or this process would wait for whoever holds the other ends.
      for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.destroy();
      resolve({ how, code, ...output() });
    };
    const stop = (): void => finish('stopped', 'ABORT');
    signal.addEventListener('abort', stop, { once: true });
    child.on('error', (error: NodeJS.ErrnoException) => finish('not_started', error.code ?? 'unknown'));
    child.on('exit', (code, name) => {
      drain = setTimeout(() => finish('ended', code ?? name ?? 'unknown'), DRAIN_MS);
    });
    child.on('close', (code, name) => finish('ended', code ?? name ?? 'unknown'));
    // Who does not read it closes the pipe: no failure.
    child.stdin?.on('error', () => {});
    child.stdin?.end(run.stdin);
  });
}

const NO_OUTPUT = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };

function start({ command, env, cwd, stdin, keeps }: ProgramRun): ChildProcess {
  const options: SpawnOptions = {
    ...{ cwd, env: { ...env }, detached: process.platform !== 'win32' },
    stdio: [
      stdin === undefined ? 'ignore' : 'pipe',
      keeps === undefined ? 'ignore' : 'pipe',
      keeps === undefined || keeps.stderrBytes === 0 ? 'ignore' : 'pipe',
    ],
  };
  if (typeof command === 'string') return spawn(command, { ...options, shell: true });
  return spawn(command[0]!, command.slice(1), options);
}

function collect(child: ChildProcess, keeps: OutputKept | undefined, tooMuch: () => void) {
  const parts: Buffer[] = [];
  let length = 0;
  let last = Buffer.alloc(0);
  child.stdout?.on('data', (part: Buffer) => {
    length += part.length;
    if (length > keeps!.stdoutBytes) tooMuch();
    else parts.push(part);
  });
  child.stderr?.on('data', (part: Buffer) => {
    last = Buffer.concat([last, part]).subarray(-keeps!.stderrBytes);
  });
  return () => ({ stdout: Buffer.concat(parts), stderr: last });
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
