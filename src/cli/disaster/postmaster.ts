import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { BackupError } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import type { Postmaster } from '../../disaster/guard-close.ts';

const LOOK_MS = 50;
/** After this it is killed: an immediate shutdown waits for nobody, but a process may hang on a disk. */
const GENTLE_MS = 2000;
const STOP_MS = 8000;

/** The server of a data directory on this host, ended by signals. */
export function postmasterOf(dataDir: string): Postmaster {
  return {
    isRunning: () => findPid(dataDir) !== null,
    stop: async () => {
      const beganAtMs = performance.now();
      for (let told: NodeJS.Signals | null = null; ; ) {
        const pid = findPid(dataDir);
        if (pid === null) return;
        const passedMs = performance.now() - beganAtMs;
        if (passedMs > STOP_MS) throw stillRunning(dataDir, pid);
        const wanted = passedMs > GENTLE_MS ? 'SIGKILL' : 'SIGQUIT';
        if (told !== wanted) signal(pid, wanted, dataDir);
        told = wanted;
        await pause(LOOK_MS);
      }
    },
  };
}

/** Null when no server runs there. The number may be another process's since the file was written. */
function findPid(dataDir: string): number | null {
  const pid = readPid(dataDir);
  if (pid === null || !isAlive(pid)) return null;
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDir) ? pid : null;
  } catch {
    // Gone just now, not ours to look at, or a system without /proc: then the file is believed.
    return isAlive(pid) ? pid : null;
  }
}

function readPid(dataDir: string): number | null {
  try {
    const pid = Number(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]);
    return Number.isInteger(pid) && pid > 1 ? pid : null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    throw new BackupError(
      'usage',
      `${join(dataDir, 'postmaster.pid')} cannot be read (${code ?? 'unknown'})`,
      {
        hint: 'run the guard as the user of the server, and name its data directory with --data-dir',
      },
    );
  }
}

/** One of another user is alive too. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function signal(pid: number, name: NodeJS.Signals, dataDir: string): void {
  try {
    process.kill(pid, name);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ESRCH') return;
    throw new BackupError(
      'fence_failed',
      `the server of ${dataDir}, process ${pid}, cannot be ended (${code})`,
      {
        hint: 'run the guard as the user of the server',
        cause,
      },
    );
  }
}

function stillRunning(dataDir: string, pid: number): BackupError {
  return new BackupError('fence_failed', `the server of ${dataDir}, process ${pid}, does not end`, {
    hint: 'cut its host off: a process that hangs on a disk cannot be ended',
  });
}
