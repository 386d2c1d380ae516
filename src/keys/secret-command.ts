import { BackupError } from '../core/errors.ts';
import { runProgram } from '../outside/run-program.ts';
import type { Environment } from './secret.ts';

/** A password manager may ask its owner first. */
const DEADLINE_MS = 60_000;

/**
 * What a line for the shell writes to stdout. What it says on stderr is thrown away: it may hold the secret. Throws `key_refused` when it
 * fails, does not end in time or writes more than `maxBytes`.
 */
export async function runSecretCommand(
  line: string,
  env: Environment,
  maxBytes: number,
  deadlineMs = DEADLINE_MS,
): Promise<Buffer> {
  const { how, code, stdout } = await runProgram({
    ...{ command: line, env, signal: AbortSignal.timeout(deadlineMs) },
    keeps: { stdoutBytes: maxBytes, stderrBytes: 0 },
  });
  if (how === 'ended' && code === 0) return stdout;
  throw commandFailed(
    {
      ended: `ended with ${typeof code === 'number' ? `exit code ${code}` : code}`,
      not_started: 'could not be started',
      stopped: `did not end within ${deadlineMs / 1000} s`,
      too_much_output: `wrote more than ${maxBytes} bytes`,
    }[how],
  );
}

function commandFailed(reason: string): BackupError {
  return new BackupError('key_refused', `the configured command for a secret ${reason}`, {
    hint: 'run it by hand: it must write the secret, and nothing else, to stdout; its messages are not shown here',
  });
}
