import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A shell that is told one command after the other: variables and `cd` hold until its end. */
export interface Shell {
  /** What the command printed, on both streams. What it leaves in the background goes on. */
  run(command: string): Promise<string>;
  end(): void;
}

export interface Shells {
  open(): Shell;
  /** Ends them all, with all that they left running. */
  end(): void;
}

const COMMAND_TIMEOUT_MS = 60_000;

export function openShells(cwd: string, env: Record<string, string | undefined>): Shells {
  const out = mkdtempSync(join(tmpdir(), 'eventcore-shell-'));
  const pids: number[] = [];
  let commands = 0;

  function open(): Shell {
    const child = spawn('bash', [], { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
    pids.push(child.pid!);
    const done = createInterface({ input: child.stdout });
    child.stdin.on('error', () => {});
    const gone = once(child, 'exit').then(() => 'it ended the shell, or is nothing that a shell understands');
    return {
      run: async (command) => {
        commands += 1;
        const file = join(out, String(commands));
        const answer = once(done, 'line').then(() => null);
        // Into a file, since what goes on in the background would keep a pipe open.
        child.stdin.write(`{ ${command}\n} >'${file}' 2>&1 </dev/null\necho\n`);
        const fault = await Promise.race([answer, gone, late(COMMAND_TIMEOUT_MS)]);
        const printed = readIfThere(file);
        return fault === null ? printed : `${printed}(${fault})`;
      },
      end: () => child.stdin.end(),
    };
  }

  return {
    open,
    end: () => {
      for (const pid of pids) endGroup(pid);
      rmSync(out, { recursive: true, force: true });
    },
  };
}

function late(ms: number): Promise<string> {
  return new Promise((resolve) => setTimeout(resolve, ms, `it did not end within ${ms / 1000} s`).unref());
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
