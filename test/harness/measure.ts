import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What one run of a command took, as the operating system counts it. */
export interface Measured {
  readonly wallSeconds: number;
  /** User and system time of the command, its threads and the children that it waited for. */
  readonly cpuSeconds: number;
  /** Peak resident memory of the largest single process. */
  readonly peakMiB: number;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const POLL_MS = 20;
/** Linux counts process times in hundredths of a second, whatever its own clock. */
const TICKS_PER_SECOND = 100;

/** Runs a command to its end and measures it. Throws when it fails, with what it printed. */
export async function measure(command: Command): Promise<Measured> {
  const startedAt = performance.now();
  const child = spawn(command.program, command.args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...command.env },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text = (text + chunk).slice(-4000);
    });
  }
  const seen = { cpuSeconds: 0, peakMiB: 0 };
  const poll = setInterval(() => notePeak(child.pid ?? 0, seen), POLL_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  });
  clearInterval(poll);
  const wallSeconds = (performance.now() - startedAt) / 1000;
  if (code !== 0) throw new Error(`${command.program} ${command.args.join(' ')} ended with ${code}: ${text}`);
  return { wallSeconds, ...seen };
}

/** Reads the kernel's own counters: they only grow, so the last look before the end is what counts. */
function notePeak(pid: number, seen: { cpuSeconds: number; peakMiB: number }): void {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const peakKiB = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0);
    seen.cpuSeconds = Math.max(seen.cpuSeconds, ticks / TICKS_PER_SECOND);
    seen.peakMiB = Math.max(seen.peakMiB, peakKiB / 1024);
  } catch {
    // The process ended between two looks.
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
