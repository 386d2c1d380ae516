import { readFileSync } from 'node:fs';

/** What /proc says about a process. */
export interface ProcessFacts {
  readonly pid: number;
  /** User and system time of all of its threads. */
  readonly cpuSeconds: number;
  /** The same of the children that it has waited for, and of theirs. */
  readonly endedChildrenCpuSeconds: number;
  readonly residentMiB: number;
  /** The largest that it ever was. */
  readonly peakMiB: number;
}

/** Linux counts process times in hundredths of a second, whatever its own clock. */
const TICKS_PER_SECOND = 100;
const KIB_PER_MIB = 1024;

/** A process and all that descend from it; without those that ended meanwhile. */
export function readTree(pid: number): ProcessFacts[] {
  const facts = readProcess(pid);
  return facts === null ? [] : [facts, ...readChildren(pid).flatMap(readTree)];
}

/**
 * What a server and its backends have used so far. A backend that ended is in the numbers of the server once that has
 * waited for it, so that two of these differ by what was used in between.
 */
export function cpuSecondsOfServer(pid: number): number {
  const [server, ...others] = readTree(pid);
  if (server === undefined) return 0;
  const own = server.cpuSeconds + server.endedChildrenCpuSeconds;
  return others.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, own);
}

function readProcess(pid: number): ProcessFacts | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    // The name before the last parenthesis may have spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const seconds = (a: number, b: number): number =>
      (Number(fields[a]) + Number(fields[b])) / TICKS_PER_SECOND;
    return {
      pid,
      cpuSeconds: seconds(11, 12),
      endedChildrenCpuSeconds: seconds(13, 14),
      residentMiB: mib(status, 'VmRSS'),
      peakMiB: mib(status, 'VmHWM'),
    };
  } catch {
    return null;
  }
}

function mib(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / KIB_PER_MIB;
}

/**
 * Children of the first thread: none of those measured starts any in another one, and to ask every thread of a Node
 * process fifty times a second would disturb what is measured.
 */
function readChildren(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** The process id that a PostgreSQL server has written into its folder. */
export function readServerPid(dataDir: string): number {
  return Number(readFileSync(`${dataDir}/postmaster.pid`, 'utf8').split('\n')[0]);
}
