import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { MAIN } from '../contenders/ours.ts';

/** Processes of `eventcore worker`, and their end. */
export interface WorkerProcesses {
  stop(): Promise<void>;
}

const STARTS_WITHIN_MS = 60_000;
const KEPT_CHARS = 4000;

/** Starts so many, each with these flags; resolves when all of them take jobs. */
export async function startWorkers(count: number, flags: readonly string[]): Promise<WorkerProcesses> {
  const children = Array.from({ length: count }, (_, i) =>
    spawn(process.execPath, [MAIN, 'worker', ...flags, '--name', `worker ${i + 1}`, '--log-level', 'info'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    }),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(end));
  };
  try {
    await Promise.all(children.map(isReady));
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** It says so when it takes jobs. What it says later is read, so that it never waits for a reader. */
function isReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = (why: string): void => reject(new Error(`a worker ${why}: ${said}`));
    const late = setTimeout(() => fail('takes no jobs'), STARTS_WITHIN_MS);
    child.on('exit', (code) => fail(`ended with ${code}`));
    child.stderr?.on('data', (piece) => {
      said = (said + piece).slice(-KEPT_CHARS);
      if (!said.includes(READY)) return;
      clearTimeout(late);
      resolve();
    });
  });
}

const READY = 'takes jobs';
