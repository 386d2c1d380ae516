import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BackupError } from '../../core/errors.ts';
import type { FilesConfig } from './config.ts';
import { LOCK } from './paths.ts';

/**
 * EventCore holds an exclusive lock (flock) on `.lock` for as long as it has the store open. Node cannot take such a lock; the program
 * flock of util-linux or BusyBox can, and keeps it for as long as its command runs: a shell that waits for the end of its input, which
 * comes when this process ends, however it does.
 */
export interface StoreLock {
  /** Throws `store_refused` when the lock was lost. */
  assertHeld(): void;
  release(): Promise<void>;
}

const RETRY_MS = 25;
/** Roots that this process holds: flock's child is another process, so this one must keep itself apart. */
const held = new Set<string>();

/** Waits up to `waitMs` for others. The folder must be there. Throws `lease_held`, `store_refused`. */
export async function lockStore(config: FilesConfig, waitMs: number): Promise<StoreLock> {
  const root = await fs.realpath(config.root);
  const until = Date.now() + waitMs;
  for (;;) {
    const lock = held.has(root) ? null : await tryLock(config, root);
    if (lock !== null) return lock;
    if (Date.now() >= until) throw lockedBy(config);
    await pause(RETRY_MS);
  }
}

async function tryLock(config: FilesConfig, root: string): Promise<StoreLock | null> {
  held.add(root);
  try {
    const child = config.writers === 'none' ? null : await startHolder(config, path.join(root, LOCK));
    if (child !== 'taken') return holdWith(config, root, child);
  } catch (error) {
    held.delete(root);
    throw error;
  }
  held.delete(root);
  return null;
}

function holdWith({ address }: FilesConfig, root: string, child: ChildProcess | null): StoreLock {
  let isOpen = true;
  return {
    assertHeld: () => {
      if (isOpen && (child === null || (child.exitCode === null && child.signalCode === null))) return;
      throw new BackupError('store_refused', `the lock of ${address} was lost`, {
        hint: 'something ended the program `flock`; nothing was changed: try again',
      });
    },
    release: async () => {
      if (!isOpen) return;
      isOpen = false;
      if (child !== null) await endHolder(child);
      held.delete(root);
    },
  };
}

async function startHolder({ address }: FilesConfig, file: string): Promise<ChildProcess | 'taken'> {
  // In a session of its own: an interrupt from the keyboard goes to this process, which puts things back before it lets go.
  const child = spawn('flock', ['-x', '-n', file, 'sh', '-c', 'echo held; cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  child.stdin.on('error', () => {});
  const said = await new Promise<string>((resolve, reject) => {
    let words = '';
    child.stdout.on('data', (chunk) => resolve(String(chunk)));
    child.stderr.on('data', (chunk) => {
      words += String(chunk);
    });
    child.on('error', (cause) => reject(noProgram(address, cause)));
    child.on('close', () => resolve(words));
  });
  if (said.startsWith('held')) {
    unrefAll(child);
    return child;
  }
  if (said === '') return 'taken';
  throw new BackupError('store_refused', `cannot lock ${address}: ${said.trim()}`, {
    hint: `check the rights on ${file}`,
  });
}

/** A lock that somebody forgot to release keeps no process alive. */
function unrefAll(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) {
    if (stream !== null && 'unref' in stream && typeof stream.unref === 'function') stream.unref();
  }
}

async function endHolder(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const ended = once(child, 'exit');
  child.stdin?.end();
  await ended;
}

function noProgram(address: string, cause: Error): BackupError {
  return new BackupError('store_refused', `cannot lock ${address}: the program flock is not there`, {
    hint: 'install util-linux, or, if EventCore is stopped and nothing else writes there, add ?writers=none to the address',
    cause,
  });
}

function lockedBy({ address }: FilesConfig): BackupError {
  return new BackupError(
    'lease_held',
    `${address} is open in EventCore, or in another process of this program`,
    {
      hint: 'stop the application that has it open, then try again',
    },
  );
}
