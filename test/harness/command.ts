import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { runProgram } from '../../src/cli/program.ts';
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
  /** In front of the command, such as `ip netns exec NAME`. */
  readonly prefix?: readonly string[];
}

export interface RunHereOptions extends RunOptions {
  /** The command takes stdout and stderr for terminals. */
  readonly onTerminal?: boolean;
}

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
/** Halves the time that a command takes to start. */
const NODE_COMPILE_CACHE = join(import.meta.dirname, '../../node_modules/.cache/compile');
const CONFIGURING = ['EVENTCORE_CONFIG', 'EVENTCORE_STORE', 'EVENTCORE_VAULT', 'NO_COLOR', 'FORCE_COLOR'];

export function startCommand(cwd: string, words: readonly string[], options: RunOptions = {}): ChildProcess {
  const env = { ...process.env };
  for (const name of CONFIGURING) delete env[name];
  const [program, ...before] = [...(options.prefix ?? []), process.execPath];
  return spawn(program!, [...before, MAIN, ...words], {
    ...{ cwd, env: { ...env, NODE_COMPILE_CACHE, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] },
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

/** As `runCommand`, in this process and its working directory: quicker by far, where no signal is tested. */
export async function runHere(words: readonly string[], options: RunHereOptions = {}): Promise<Ran> {
  const stdout = makeTerminal(options.onTerminal === true);
  const stderr = makeTerminal(options.onTerminal === true);
  const { signal } = new AbortController();
  const code = await runProgram(words, {
    env: options.env ?? {},
    cwd: process.cwd(),
    stdout,
    stderr,
    signal,
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

/** As a pipe or a terminal does, takes the bytes as they are now: their owner may use the memory again. */
function makeTerminal(isTTY: boolean) {
  const parts: Buffer[] = [];
  const stream = new Writable({
    write: (part: Buffer, _encoding, done) => {
      parts.push(Buffer.from(part));
      done();
    },
  });
  return Object.assign(stream, { isTTY, text: () => Buffer.concat(parts).toString('utf8') });
}

export function awaitCommand(child: ChildProcess): Promise<Ran> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      stdout += part;
    });
    child.stderr?.setEncoding('utf8').on('data', (part: string) => {
      stderr += part;
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
  const store = await openStore(address);
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
