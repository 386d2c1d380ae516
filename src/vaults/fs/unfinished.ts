import { randomBytes } from 'node:crypto';
import { findProcessState, nameProcess, type ProcessName, parseProcess } from './process-name.ts';

/**
 * The names of files that are being written: `.tmp-<place>-<pid>-<start>-<random>-<object's last segment>`.
 * Object names never start with a dot, so no listing shows one.
 *
 * They say who writes (see process-name.ts), so that what a killed writer left can be told from what a living one is
 * writing.
 */
export interface UnfinishedName extends ProcessName {
  /** The last segment of the name that the object will have. */
  readonly target: string;
}

const PATTERN = /^\.tmp-([0-9a-f]{8}-\d+-\d+)-[0-9a-f]{8}-(.+)$/;
const CLAIM_PREFIX = '.claim-';
/** After this long without a write, a file of a process that cannot be looked up counts as left behind. */
const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000;

export function makeUnfinishedName(target: string): string {
  const random = randomBytes(4).toString('hex');
  return `.tmp-${nameProcess()}-${random}-${target}`;
}

/** A file that only one writer can create for the same target (see publish.ts). */
export function makeClaimName(target: string): string {
  return `${CLAIM_PREFIX}${target}`;
}

export function parseUnfinishedName(fileName: string): UnfinishedName | null {
  const match = PATTERN.exec(fileName);
  const writer = match === null ? null : parseProcess(match[1]!);
  return writer === null ? null : { ...writer, target: match![2]! };
}

/** The target of a claim, or null when the file is none. */
export function parseClaimName(fileName: string): string | null {
  return fileName.startsWith(CLAIM_PREFIX) ? fileName.slice(CLAIM_PREFIX.length) : null;
}

/** True when the writer of the file is dead; where that cannot be known, when it has not written for a day. */
export function isAbandoned(name: UnfinishedName, modifiedAtMs: number, nowMs: number): boolean {
  const state = findProcessState(name);
  return state === 'dead' || (state === 'unknown' && isOld(modifiedAtMs, nowMs));
}

/** Claims are held for a moment and do not say by whom. */
export function isClaimAbandoned(modifiedAtMs: number, nowMs: number): boolean {
  return isOld(modifiedAtMs, nowMs);
}

function isOld(modifiedAtMs: number, nowMs: number): boolean {
  return nowMs - modifiedAtMs > ABANDONED_AFTER_MS;
}
