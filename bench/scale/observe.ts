import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAIN } from '../contenders/ours.ts';
import { cpuSecondsOfServer, readTree } from '../process-tree.ts';

/** One step of a command: what its log calls it (`reading events`), or `start` for what comes before the first. */
export interface ObservedStep {
  readonly name: string;
  readonly wallSeconds: number;
  /** Of the command with all its threads; and of the server of PostgreSQL, 0 where there is none. */
  readonly clientCpuSeconds: number;
  readonly serverCpuSeconds: number;
}

export interface Observed {
  readonly wallSeconds: number;
  readonly steps: readonly ObservedStep[];
  /** What it printed with `--json`. */
  readonly report: Readonly<Record<string, unknown>>;
}

/** Linux counts processors' time in hundredths of a second: two looks at it that are nearer tell little. */
const POLL_MS = 20;
const SERVER_SETTLES_MS = 150;
const KEPT_LINES = 20;

interface Look {
  readonly name: string;
  readonly atMs: number;
  readonly client: number;
  readonly server: number;
}

/**
 * Runs the built command, and looks at the clocks whenever its log names the next step. Throws when it fails, with what it said.
 * `env` is added to an environment that has no settings of ours.
 */
export async function observe(
  args: readonly string[],
  { serverPid, env = {} }: { readonly serverPid: number | null; readonly env?: NodeJS.ProcessEnv },
): Promise<Observed> {
  const bare = Object.entries(process.env).filter(([name]) => !name.startsWith('EVENTCORE_'));
  const serverBefore = serverPid === null ? 0 : cpuSecondsOfServer(serverPid);
  const startedAtMs = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args, '--json', '--log-level', 'info'], {
    ...{ stdio: ['ignore', 'pipe', 'pipe'], env: { ...Object.fromEntries(bare), ...env } },
  });
  const client = watchClient(child.pid ?? 0);
  const server = (): number => (serverPid === null ? 0 : cpuSecondsOfServer(serverPid) - serverBefore);
  const looks: Look[] = [{ name: 'start', atMs: startedAtMs, client: 0, server: 0 }];
  const said: string[] = [];
  const lines = createInterface({ input: child.stderr });
  lines.on('line', (line) => {
    said.push(line);
    if (said.length > KEPT_LINES) said.shift();
    const name = stepOf(line);
    if (name !== null) looks.push({ name, atMs: performance.now(), client: client.look(), server: server() });
  });
  let printed = '';
  child.stdout.on('data', (piece) => {
    printed += piece;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  }).finally(client.stop);
  const endedAtMs = performance.now();
  if (code !== 0) throw new Error(`eventcore ${args.join(' ')} ended with ${code}: ${said.join('\n')}`);
  await sleep(SERVER_SETTLES_MS);
  looks.push({ name: 'end', atMs: endedAtMs, client: client.look(), server: server() });
  return {
    wallSeconds: (endedAtMs - startedAtMs) / 1000,
    steps: stepsBetween(looks),
    report: JSON.parse(printed) as Observed['report'],
  };
}

/** The log says steps as notes with nothing but a time and their name. */
function stepOf(line: string): string | null {
  try {
    const { level, message } = JSON.parse(line) as { level?: unknown; message?: unknown };
    return level === 'info' && typeof message === 'string' ? message : null;
  } catch {
    return null;
  }
}

function stepsBetween(looks: readonly Look[]): ObservedStep[] {
  return looks.slice(0, -1).map((look, i) => {
    const next = looks[i + 1]!;
    return {
      name: look.name,
      wallSeconds: (next.atMs - look.atMs) / 1000,
      clientCpuSeconds: next.client - look.client,
      serverCpuSeconds: next.server - look.server,
    };
  });
}

/** The kernel forgets a process when it ends: what counts is the last look before. */
function watchClient(pid: number): { look(): number; stop(): void } {
  const seconds = new Map<number, number>();
  const look = (): number => {
    for (const one of readTree(pid)) seconds.set(one.pid, one.cpuSeconds);
    return [...seconds.values()].reduce((sum, one) => sum + one, 0);
  };
  const timer = setInterval(look, POLL_MS);
  return { look, stop: () => clearInterval(timer) };
}
