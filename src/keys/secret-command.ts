import { type ChildProcess, spawn } from 'node:child_process';
import { BackupError } from '../core/errors.ts';
import type { Environment } from './secret.ts';

/** A password manager may ask its owner first. */
const DEADLINE_MS = 60_000;

/**
 * What a line for the shell writes to stdout. What it says on stderr is thrown away: it may hold the secret. Throws `key_refused` when it
 * fails, does not end in time or writes more than `maxBytes`.
 */
export function runSecretCommand(
  line: string,
  env: Environment,
  maxBytes: number,
  deadlineMs = DEADLINE_MS,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // A group of its own, so that whatever it started ends with it.
    const child = spawn(line, {
      ...{ shell: true, env: { ...env }, stdio: ['ignore', 'pipe', 'ignore'] },
      detached: process.platform !== 'win32',
    });
    const refuse = (reason: string): void => {
      clearTimeout(timer);
      endGroup(child);
      reject(commandFailed(reason));
    };
    const timer = setTimeout(() => refuse(`did not end within ${deadlineMs / 1000} s`), deadlineMs);
    const parts: Buffer[] = [];
    let length = 0;
    child.stdout?.on('data', (part: Buffer) => {
      parts.push(part);
      length += part.length;
      if (length > maxBytes) refuse(`wrote more than ${maxBytes} bytes`);
    });
    child.on('error', () => refuse('could not be started'));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(Buffer.concat(parts));
      else refuse(`ended with ${code === null ? signal : `exit code ${code}`}`);
    });
  });
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function commandFailed(reason: string): BackupError {
  return new BackupError('key_refused', `the configured command for a secret ${reason}`, {
    hint: 'run it by hand: it must write the secret, and nothing else, to stdout; its messages are not shown here',
  });
}
