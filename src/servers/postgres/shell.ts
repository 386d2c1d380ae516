import { type ChildProcess, spawn } from 'node:child_process';
import { BackupError } from '../../core/errors.ts';

/** Where a script runs, and as whom. */
export interface Place {
  /** In front of `sh`, such as `['ssh', 'host']` or `['sudo', '-u', 'postgres']`; empty for this host. */
  readonly run: readonly string[];
  readonly uid: number | null;
  readonly gid: number | null;
}

export interface Script {
  /** For people: what it does. */
  readonly what: string;
  readonly text: string;
  /** Taken out of whatever is repeated of what it said. */
  readonly secrets: readonly string[];
}

const KEPT_CHARS = 16_000;
const SHOWN_LINES = 4;

/**
 * Hands a script to a shell, which reads it from its standard input: so it needs no quotes on its way, and no list of processes shows
 * what is in it. Ended with all of its children when the signal fires. Throws `action_failed` with the last that it said.
 */
export async function runScript(
  { run, uid, gid }: Place,
  script: Script,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  const [program = 'sh', ...rest] = [...run, 'sh'];
  const child = spawn(program, rest, {
    ...(uid === null || gid === null ? {} : { uid, gid }),
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stop = (): void => endGroup(child);
  signal.addEventListener('abort', stop, { once: true });
  const output = { out: '', error: '' };
  child.stdout.on('data', (bytes: Buffer) => (output.out = last(output.out + bytes.toString())));
  child.stderr.on('data', (bytes: Buffer) => (output.error = last(output.error + bytes.toString())));
  child.stdin.on('error', () => undefined);
  child.stdin.end(script.text);
  try {
    const code = await exitOf(child);
    if (code === 0) return output.out;
    throw failed(script, signal.aborted ? 'it took too long' : saidLast(output, script.secrets, code));
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Resolves when the shell has ended: what it left running may hold its output open. */
function exitOf(child: ChildProcess): Promise<number | string> {
  const { promise, resolve } = Promise.withResolvers<number | string>();
  child.once('error', (error) => resolve(error.message));
  child.once('exit', (code, name) => {
    // What is in the pipes is read first, but no longer than that.
    const give = (): void => resolve(code ?? name ?? 'an unknown end');
    child.once('close', give);
    setTimeout(give, DRAIN_MS).unref();
  });
  return promise;
}

const DRAIN_MS = 500;

function endGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

function last(text: string): string {
  return text.slice(-KEPT_CHARS);
}

function saidLast(
  { out, error }: { readonly out: string; readonly error: string },
  secrets: readonly string[],
  code: number | string,
): string {
  const lines = (error.trim() === '' ? out : error).trim().split('\n').slice(-SHOWN_LINES);
  let text = lines.map((line) => line.trim()).join('; ');
  for (const secret of secrets) text = text.replaceAll(secret, '***');
  return text === '' ? `it ended with ${code}` : text;
}

function failed({ what }: Script, why: string): BackupError {
  return new BackupError('action_failed', `${what}: ${why}`, {
    hint: 'run it again: what is done already is not done twice',
  });
}

/** Any text as one word of a shell. */
export function quoteWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
