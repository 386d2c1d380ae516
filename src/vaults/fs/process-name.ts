import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { WriterState } from '../../core/writers.ts';
import { hasErrno } from './errors.ts';

/**
 * A process, as `<place>-<pid>-<start>`. `place` stands for the table of processes that the pid belongs to (this boot of
 * this kernel, this pid namespace), since a vault may be shared between machines and containers. `start` is when the process
 * started, as proc(5) counts it, since pids are used again; 0 where the system does not tell.
 */
export interface ProcessName {
  readonly place: string;
  readonly pid: number;
  readonly start: number;
}

const PATTERN = /^([0-9a-f]{8})-(\d{1,10})-(\d{1,15})$/;
/** No process started then. */
const ENDED = -1;

/** This process. */
export function nameProcess(): string {
  return `${thisPlace()}-${process.pid}-${findProcessStart(process.pid) ?? 0}`;
}

export function parseProcess(text: string): ProcessName | null {
  const match = PATTERN.exec(text);
  if (match === null) return null;
  return { place: match[1]!, pid: Number(match[2]), start: Number(match[3]) };
}

export function findProcessState(name: ProcessName): WriterState {
  if (name.place !== thisPlace()) return 'unknown';
  if (!processExists(name.pid)) return 'dead';
  const start = findProcessStart(name.pid);
  if (start === null || name.start === 0) return 'unknown';
  return start === name.start ? 'alive' : 'dead';
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasErrno(error, 'ESRCH'); // EPERM: it exists and belongs to another user.
  }
}

/**
 * Field 22 of /proc/<pid>/stat; the second field, in brackets, may itself hold spaces and brackets. The third is the state: a
 * process that was killed and that its parent has not asked for yet (Z) does nothing any more.
 */
function findProcessStart(pid: number): number | null {
  const stat = readIfThere(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields?.[0] === 'Z' || fields?.[0] === 'X') return ENDED;
  const ticks = Number(fields?.[19]);
  return Number.isSafeInteger(ticks) && ticks > 0 ? ticks : null;
}

let place: string | undefined;

function thisPlace(): string {
  place ??= createHash('sha256').update(describePlace()).digest('hex').slice(0, 8);
  return place;
}

function describePlace(): string {
  const boot = readIfThere(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'));
  const namespace = readIfThere(() => readlinkSync('/proc/self/ns/pid'));
  return boot === null || namespace === null ? hostname() : `${boot}${namespace}`;
}

function readIfThere(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}
