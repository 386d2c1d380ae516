import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../src/cli/wire.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { generateBatches } from '../../src/testing/event-generator.ts';
import { testClock } from './memory-backup.ts';

/** What a run of the command left: its exit code and what it printed. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Added to an environment in which nothing configures the command; undefined takes one out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const CONFIGURING = ['EVENTCORE_CONFIG', 'EVENTCORE_STORE', 'EVENTCORE_VAULT', 'NO_COLOR', 'FORCE_COLOR'];

export function startCommand(cwd: string, words: readonly string[], options: RunOptions = {}): ChildProcess {
  const env = { ...process.env };
  for (const name of CONFIGURING) delete env[name];
  return spawn(process.execPath, [MAIN, ...words], {
    ...{ cwd, env: { ...env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] },
  });
}

/** Runs `eventcore` with these words in a folder, as a shell would. */
export async function runCommand(
  cwd: string,
  words: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  const child = startCommand(cwd, words, options);
  return awaitCommand(child);
}

export function awaitCommand(child: ChildProcess): Promise<Ran> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** A folder that is gone when `remove` has been called. */
export async function makeFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'eventcore-cli-')));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export async function withStoreAt<Result>(
  address: string,
  work: (store: EventStore) => Promise<Result>,
): Promise<Result> {
  const store = openStore(address);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Fills a store that does not exist yet with generated events, quickly. Gives the digest of its events. */
export function fillStore(address: string, events: number): Promise<string> {
  return withStoreAt(address, async (store) => {
    const session = await store.openRestore({ attemptId: testClock.uuid(), replace: false });
    const writer = await session.openWriter();
    for (const batch of generateBatches({ seed: 1, events, batchBytes: 1 << 20 })) await writer.write(batch);
    await writer.end();
    await session.finishLoad();
    await session.publish();
    return (await digestStore(store)).digest;
  });
}

export async function digestAt(address: string): Promise<string> {
  return (await withStoreAt(address, digestStore)).digest;
}
