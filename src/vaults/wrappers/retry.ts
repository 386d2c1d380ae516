import { setTimeout as sleep } from 'node:timers/promises';
import { isBackupError, throwIfAborted } from '../../core/errors.ts';
import type { ObjectInfo, Vault } from '../../core/vault.ts';
import { passOn } from './pass.ts';

export interface RetryOptions {
  /** Calls in all, the first included. */
  readonly attempts?: number;
  /** From the first call on; no attempt begins after that. One that is under way is not cut off: that is the vault's own to do. */
  readonly deadlineMs?: number;
  /** The longest pause before the second attempt; twice as long before each further one. */
  readonly firstPauseMs?: number;
  readonly longestPauseMs?: number;
  readonly signal?: AbortSignal;
  /** From 0 to 1, for pauses of different lengths: clients that failed together must not come back together. */
  readonly random?: () => number;
}

interface Plan extends Required<Omit<RetryOptions, 'signal'>> {
  readonly signal: AbortSignal | undefined;
}

/**
 * Calls again what a vault could not be reached for, where a second call does no harm if the first one came through after all:
 * reading, listing, removing, and opening a writer. What a writer does and copies are never repeated: only who called knows
 * whether the bytes or the name of an attempt that was not answered are its own.
 *
 * For vaults that do not repeat calls themselves. A directory gains nothing: the kernel repeats what a network filesystem can, and
 * what comes through to a program stays so.
 */
export function retryVault(inner: Vault, options: RetryOptions = {}): Vault {
  const plan: Plan = {
    attempts: options.attempts ?? 5,
    deadlineMs: options.deadlineMs ?? 60_000,
    firstPauseMs: options.firstPauseMs ?? 200,
    longestPauseMs: options.longestPauseMs ?? 10_000,
    random: options.random ?? Math.random,
    signal: options.signal,
  };
  const again = <Value>(call: () => Promise<Value>): Promise<Value> => repeat(plan, call);
  return passOn(inner, {
    open: (how) => again(() => inner.open(how)),
    createObject: (name) => again(() => inner.createObject(name)),
    readRange: (name, offset, length) => again(() => inner.readRange(name, offset, length)),
    stat: (name) => again(() => inner.stat(name)),
    list: (prefix) => listAgain(inner, plan, prefix),
    removeObject: (name) => again(() => inner.removeObject(name)),
    removeLeftovers: (prefix) => again(() => inner.removeLeftovers(prefix)),
    recall: (name) => again(() => inner.recall(name)),
    setLegalHold: (name, isHeld) => again(() => inner.setLegalHold(name, isHeld)),
    traits: () => again(() => inner.traits()),
    freeBytes: () => again(() => inner.freeBytes()),
  });
}

async function repeat<Value>(plan: Plan, call: () => Promise<Value>): Promise<Value> {
  const goOn = makeAttempts(plan);
  for (;;) {
    throwIfAborted(plan.signal);
    try {
      return await call();
    } catch (error) {
      await goOn(error);
    }
  }
}

/** A listing that broke off begins again behind what it has given; each object that comes is progress, and gives new attempts. */
async function* listAgain(inner: Vault, plan: Plan, prefix: string): AsyncGenerator<ObjectInfo> {
  let last: string | null = null;
  let goOn = makeAttempts(plan);
  for (;;) {
    throwIfAborted(plan.signal);
    try {
      for await (const info of inner.list(prefix)) {
        if (last !== null && info.name <= last) continue;
        last = info.name;
        goOn = makeAttempts(plan);
        yield info;
      }
      return;
    } catch (error) {
      await goOn(error);
    }
  }
}

/** Resolves when the call may be made again; throws the failure when it may not. */
function makeAttempts(plan: Plan): (failure: unknown) => Promise<void> {
  const beganAt = performance.now();
  let made = 0;
  return async (failure) => {
    made += 1;
    if (!isBackupError(failure, 'vault_unreachable') || made >= plan.attempts) throw failure;
    const pauseMs = retryPauseMs(made, plan);
    const isLate = (moreMs: number): boolean => performance.now() - beganAt + moreMs > plan.deadlineMs;
    if (isLate(pauseMs)) throw failure;
    // Whoever stops meanwhile hears of that from the next look at the signal.
    await sleep(pauseMs, undefined, plan.signal === undefined ? {} : { signal: plan.signal }).catch(
      () => undefined,
    );
    // A busy machine sleeps longer than it was told to.
    if (isLate(0)) throw failure;
  };
}

/** How long to wait after so many failures: anything up to the longest pause that is due then. */
export function retryPauseMs(
  failures: number,
  { firstPauseMs, longestPauseMs, random }: Pick<Plan, 'firstPauseMs' | 'longestPauseMs' | 'random'>,
): number {
  return random() * Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1));
}
