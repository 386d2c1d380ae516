import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSecondsOfServer, readTree } from './process-tree.ts';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** What one run of a command took, as the operating system counts it. */
export interface Measured {
  readonly wallSeconds: number;
  /** User and system time of the command, its threads and its children. */
  readonly clientCpuSeconds: number;
  /** The same of the server that it talks to; 0 where there is none. */
  readonly serverCpuSeconds: number;
  /** Most resident memory of the command and all of its children together, at one time. */
  readonly peakMiB: number;
}

const POLL_MS = 20;
const KEPT_CHARS = 4000;
/** A backend ends shortly after its client, and its time is counted when the server has noticed. */
const SERVER_SETTLES_MS = 150;

/**
 * Runs a command to its end and measures it, and the server with this process id. Throws when it fails, with what it
 * printed.
 */
export async function measure(command: Command, serverPid: number | null): Promise<Measured> {
  const serverBefore = serverPid === null ? 0 : cpuSecondsOfServer(serverPid);
  const startedAt = performance.now();
  const child = spawn(command.program, command.args, {
    ...{ stdio: ['ignore', 'pipe', 'pipe'], cwd: tmpdir(), env: plainEnvironment() },
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      printed = (printed + chunk).slice(-KEPT_CHARS);
    });
  }
  const watch = watchTree(child.pid ?? 0);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  }).finally(watch.stop);
  const wallSeconds = (performance.now() - startedAt) / 1000;
  if (code !== 0) throw new Error(`${commandText(command)} ended with ${code}: ${printed}`);
  await sleep(SERVER_SETTLES_MS);
  const serverCpuSeconds = serverPid === null ? 0 : cpuSecondsOfServer(serverPid) - serverBefore;
  return { wallSeconds, ...watch.seen(), serverCpuSeconds };
}

/** Nobody's own settings of our command take part, nor does a configuration file in the folder where one is. */
function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('EVENTCORE_')));
}

/** The kernel forgets a process when it ends: what counts is the last look before. */
function watchTree(pid: number): {
  stop(): void;
  seen(): Pick<Measured, 'clientCpuSeconds' | 'peakMiB'>;
} {
  const cpuSeconds = new Map<number, number>();
  let peakMiB = 0;
  const look = (): void => {
    const tree = readTree(pid);
    for (const one of tree) cpuSeconds.set(one.pid, one.cpuSeconds);
    const together = tree.reduce((sum, { residentMiB }) => sum + residentMiB, 0);
    // One may have been at its largest between two looks.
    peakMiB = Math.max(peakMiB, together, ...tree.map((one) => one.peakMiB));
  };
  const timer = setInterval(look, POLL_MS);
  return {
    stop: () => clearInterval(timer),
    seen: () => ({ clientCpuSeconds: [...cpuSeconds.values()].reduce((sum, one) => sum + one, 0), peakMiB }),
  };
}

export function commandText({ program, args }: Command): string {
  return [program, ...args].join(' ');
}
