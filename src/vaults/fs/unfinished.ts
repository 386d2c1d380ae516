import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { hasErrno } from './errors.ts';

/**
 * The names of files that are being written: `.tmp-<place>-<pid>-<start>-<random>-<object's last segment>`.
 * Object names never start with a dot, so no listing shows one.
 *
 * They say who writes, so that what a killed writer left can be told from what a living one is writing.
 * `place` stands for the table of processes that the pid belongs to (this boot of this kernel, this pid namespace),
 * since a vault may be shared between machines and containers. `start` is when the process started, as
 * proc(5) counts it, since pids are used again; 0 where the system does not tell.
 */
export interface UnfinishedName {
  readonly place: string;
  readonly pid: number;
  readonly start: number;
  /** The last segment of the name that the object will have. */
  readonly target: string;
}

const PATTERN = /^\.tmp-([0-9a-f]{8})-(\d{1,10})-(\d{1,15})-[0-9a-f]{8}-(.+)$/;
const CLAIM_PREFIX = '.claim-';
/** After this long without a write, a file of a process that cannot be looked up counts as left behind. */
const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000;

export function makeUnfinishedName(target: string): string {
  const random = randomBytes(4).toString('hex');
  const start = findProcessStart(process.pid) ?? 0;
  return `.tmp-${thisPlace()}-${process.pid}-${start}-${random}-${target}`;
}

/** A file that only one writer can create for the same target (see publish.ts). */
export function makeClaimName(target: string): string {
  return `${CLAIM_PREFIX}${target}`;
}

export function parseUnfinishedName(fileName: string): UnfinishedName | null {
  const match = PATTERN.exec(fileName);
  if (match === null) return null;
  return { place: match[1]!, pid: Number(match[2]), start: Number(match[3]), target: match[4]! };
}

/** The target of a claim, or null when the file is none. */
export function parseClaimName(fileName: string): string | null {
  return fileName.startsWith(CLAIM_PREFIX) ? fileName.slice(CLAIM_PREFIX.length) : null;
}

/** True when the writer of the file is dead; where that cannot be known, when it has not written for a day. */
export function isAbandoned(name: UnfinishedName, modifiedAtMs: number, nowMs: number): boolean {
  const state = findWriterState(name);
  return state === 'dead' || (state === 'unknown' && isOld(modifiedAtMs, nowMs));
}

/** Claims are held for a moment and do not say by whom. */
export function isClaimAbandoned(modifiedAtMs: number, nowMs: number): boolean {
  return isOld(modifiedAtMs, nowMs);
}

function isOld(modifiedAtMs: number, nowMs: number): boolean {
  return nowMs - modifiedAtMs > ABANDONED_AFTER_MS;
}

function findWriterState(name: UnfinishedName): 'alive' | 'dead' | 'unknown' {
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

/** Field 22 of /proc/<pid>/stat; the second field, in brackets, may itself hold spaces and brackets. */
function findProcessStart(pid: number): number | null {
  const stat = readIfThere(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  const ticks = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
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
