import { type ChildProcess, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { awaitCommand, type Ran, startCommand } from './command.ts';
import { type FreezingProxy, startFreezingProxy } from './freezing-proxy.ts';
import { startPostgres } from './postgres.ts';

/** A queue on a server of its own behind a network that can be cut, and workers that come again whenever they are gone. */
export interface WorkerWorld {
  readonly folder: string;
  /** Flags of commands that have their work done by the workers. */
  readonly flags: readonly string[];
  /** How often each fault was done to it, and how workers ended of themselves. */
  readonly faults: Map<string, number>;
  killWorker(at: number): void;
  /** Stopped for as long as it says, which is longer than its silence is borne; then it goes on as if nothing had been. */
  haltWorker(at: number, ms: number): Promise<void>;
  crashQueue(downMs: number): Promise<void>;
  /** All connections to the queue are reset, or, `silently`, go on to nowhere. */
  cutQueue(silently: boolean): void;
  /** What `eventcore queue` says, and the last lines of the workers. */
  describe(): Promise<string>;
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly folder: string;
  readonly workers: number;
  /** Further words for each worker. */
  readonly words?: readonly string[];
}

const AGAIN_MS = 300;

export async function startWorkerWorld({ folder, workers, words = [] }: WorldOptions): Promise<WorkerWorld> {
  // Connections that go on to nowhere stay open on its side.
  const server = await startPostgres({ settings: { max_connections: '400' } });
  const proxy = await startFreezingProxy(server.port);
  const keyFile = join(folder, 'queue.key');
  writeFileSync(keyFile, randomBytes(32).toString('base64'), { mode: 0o600 });
  const database = await server.createDatabase();
  const address = `postgres://postgres@127.0.0.1:${proxy.port}/${database}`;
  const flags = ['--queue', address, '--queue-key', `file:${keyFile}`];
  const faults = new Map<string, number>();
  const note = (what: string): void => void faults.set(what, (faults.get(what) ?? 0) + 1);
  const all = Array.from({ length: workers }, (_, at) =>
    keepWorker(folder, ['worker', ...flags, '--name', `worker-${at}`, '--log-level', 'info', ...words], note),
  );
  await awaitWorkers(folder, flags, workers);
  return {
    ...{ folder, flags, faults },
    killWorker: (at) => {
      note('worker killed');
      all[at]!.kill();
    },
    haltWorker: (at, ms) => {
      note('worker halted');
      return all[at]!.halt(ms);
    },
    crashQueue: onlyOnce(async (downMs: number) => {
      note('queue crashed');
      await server.crash();
      await sleep(downMs);
      await server.restart(() => undefined);
    }),
    cutQueue: (silently) => cut(proxy, silently, note),
    describe: () => describe(folder, flags),
    stop: async () => {
      await Promise.all(all.map((worker) => worker.stop()));
      proxy.close();
      await server.stop();
    },
  };
}

function cut(proxy: FreezingProxy, silently: boolean, note: (what: string) => void): void {
  note(silently ? 'network silent' : 'network cut');
  if (silently) proxy.freeze();
  else proxy.cut();
}

/** While it is at it, further ones are not begun. */
function onlyOnce(work: (ms: number) => Promise<void>): (ms: number) => Promise<void> {
  let running: Promise<void> | null = null;
  return (ms) => {
    running ??= work(ms).finally(() => {
      running = null;
    });
    return running;
  };
}

interface KeptWorker {
  kill(): void;
  halt(ms: number): Promise<void>;
  stop(): Promise<void>;
}

/** A worker that is started again whenever it ends, as systemd or Kubernetes do it. */
function keepWorker(folder: string, words: readonly string[], note: (what: string) => void): KeptWorker {
  let isStopping = false;
  let child: ChildProcess | null = null;
  const log = join(folder, `${words[words.indexOf('--name') + 1]}.log`);
  const keep = async (): Promise<void> => {
    while (!isStopping) {
      child = startCommand(folder, words);
      child.stderr?.on('data', (bytes: Buffer) => appendFileSync(log, bytes));
      const { code } = await awaitCommand(child);
      if (code !== null && !isStopping) note(`worker ended with ${code}`);
      if (!isStopping) await sleep(AGAIN_MS);
    }
  };
  const kept = keep();
  return {
    kill: () => void child?.kill('SIGKILL'),
    halt: async (ms) => {
      const own = child;
      own?.kill('SIGSTOP');
      await sleep(ms);
      own?.kill('SIGCONT');
    },
    stop: async () => {
      isStopping = true;
      child?.kill('SIGKILL');
      await kept;
    },
  };
}

async function awaitWorkers(folder: string, flags: readonly string[], count: number): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until; await sleep(300)) {
    const { code, stdout } = await runQueue(folder, flags, '--json');
    if (code !== 0) continue;
    const { workers } = JSON.parse(stdout) as { workers: { isAlive: boolean }[] };
    if (workers.filter(({ isAlive }) => isAlive).length >= count) return;
  }
  throw new Error('the workers did not start');
}

function runQueue(folder: string, flags: readonly string[], ...words: string[]): Promise<Ran> {
  return awaitCommand(startCommand(folder, ['queue', ...flags, ...words]));
}

async function describe(folder: string, flags: readonly string[]): Promise<string> {
  const { stdout, stderr } = await runQueue(folder, flags);
  const logs = spawnSync('sh', ['-c', 'tail -n 15 worker-*.log'], { cwd: folder, encoding: 'utf8' });
  return `${stdout}${stderr}\n${logs.stdout}`;
}
