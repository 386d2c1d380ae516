import { BackupError } from '../../core/errors.ts';
import type { ObjectInfo, Vault } from '../../core/vault.ts';
import { passOn } from './pass.ts';

export interface LeaveSilentOptions {
  /** How long an answer to being opened is waited for. */
  readonly openMs: number;
  /** Then it is not opened again for so long. */
  readonly restMs: number;
  /** Milliseconds that are never set. Left out: `performance.now`. */
  readonly steadyMs?: () => number;
}

/**
 * A vault that says nothing when it is opened is not asked for anything else until it could be opened: behind a network that is cut each
 * call would take its whole time, and whoever can do without it must not wait for that again and again. Throws `vault_unreachable` at
 * once meanwhile. What fails by itself is passed on as it is.
 */
export function leaveSilent(inner: Vault, { openMs, restMs, steadyMs }: LeaveSilentOptions): Vault {
  const now = steadyMs ?? (() => performance.now());
  const state: { shut: BackupError | null; againAtMs: number } = { shut: null, againAtMs: 0 };
  const unlessShut = async <Value>(call: () => Promise<Value>): Promise<Value> => {
    if (state.shut !== null) throw state.shut;
    return call();
  };
  const open = async (options: { create: boolean }): Promise<void> => {
    if (state.shut !== null && now() < state.againAtMs) throw state.shut;
    // It may still come about when nobody waits for it any longer.
    const opening = inner.open(options).then(() => {
      state.shut = null;
    });
    if (await isInTime(opening, openMs)) return;
    state.shut = silent(inner.address, openMs);
    state.againAtMs = now() + restMs;
    throw state.shut;
  };
  return passOn(inner, {
    open,
    createObject: (name) => unlessShut(() => inner.createObject(name)),
    readRange: (name, offset, length) => unlessShut(() => inner.readRange(name, offset, length)),
    stat: (name) => unlessShut(() => inner.stat(name)),
    list: (prefix) => listUnless(() => state.shut, inner, prefix),
    copyObject: (from, to) => unlessShut(() => inner.copyObject(from, to)),
    removeObject: (name) => unlessShut(() => inner.removeObject(name)),
    removeLeftovers: (prefix) => unlessShut(() => inner.removeLeftovers(prefix)),
    recall: (name) => unlessShut(() => inner.recall(name)),
    setLegalHold: (name, isHeld) => unlessShut(() => inner.setLegalHold(name, isHeld)),
    traits: () => unlessShut(() => inner.traits()),
    freeBytes: () => unlessShut(() => inner.freeBytes()),
  });
}

async function* listUnless(
  shut: () => BackupError | null,
  inner: Vault,
  prefix: string,
): AsyncGenerator<ObjectInfo> {
  const failure = shut();
  if (failure !== null) throw failure;
  yield* inner.list(prefix);
}

/** False when it takes longer; throws what it throws before that. */
async function isInTime(work: Promise<void>, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), ms);
  // What it comes to afterwards is nobody's failure.
  work.catch(() => undefined);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function silent(address: string, ms: number): BackupError {
  return new BackupError('vault_unreachable', `${address} did not answer within ${ms} ms`, {
    hint: 'check the network to it; it is tried again in a while',
  });
}
