import { setTimeout as sleep } from 'node:timers/promises';
import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { ObjectWriter, Vault } from '../../core/vault.ts';
import { passOn } from './pass.ts';
import { DOWN, type RateBudget, rateOf, takeBytes, UP } from './rate.ts';

export interface ThrottleOptions {
  /** Shared by all vaults and threads that are limited together. */
  readonly budget: RateBudget;
  readonly signal?: AbortSignal;
}

/** What is written goes in pieces of so long, so that a large one comes as steadily as many small ones. */
const PIECE_SECONDS = 0.05;
const MIN_PIECE_BYTES = 4 << 10;
/** What is no larger waits no longer than this: a lease must not run out behind large files. It is paid for by what comes after. */
const SMALL_BYTES = 4 << 10;
const LONGEST_SMALL_WAIT_MS = 1000;

type Wait = (way: typeof UP | typeof DOWN, bytes: number, isSmall: boolean) => Promise<void>;

/**
 * A vault through which no more bytes pass than the budget allows, each way for itself. Names, listings and copies inside the vault are
 * free. A signal that fires while bytes wait ends them as `interrupted`; without one they wait for their turn.
 */
export function throttleVault(inner: Vault, { budget, signal }: ThrottleOptions): Vault {
  const pieceBytes = Math.max(MIN_PIECE_BYTES, Math.floor(rateOf(budget) * PIECE_SECONDS));
  const wait: Wait = (way, bytes, isSmall) => {
    const waitMs = takeBytes(budget, way, bytes, process.hrtime.bigint());
    return waitFor(isSmall ? Math.min(waitMs, LONGEST_SMALL_WAIT_MS) : waitMs, signal);
  };
  return passOn(inner, {
    createObject: async (name) => throttleWriter(await inner.createObject(name), pieceBytes, wait),
    // Paid for afterwards: what a read will give is not known before. As many reads as are under way can be ahead of the budget.
    readRange: async (name, offset, length) => {
      throwIfAborted(signal);
      const bytes = await inner.readRange(name, offset, length);
      await wait(DOWN, bytes.length, bytes.length <= SMALL_BYTES);
      return bytes;
    },
  });
}

function throttleWriter(inner: ObjectWriter, pieceBytes: number, wait: Wait): ObjectWriter {
  let sizeBytes = 0;
  return {
    write: async (bytes) => {
      if (bytes.length === 0) return inner.write(bytes);
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        const piece = bytes.subarray(at, at + pieceBytes);
        sizeBytes += piece.length;
        await wait(UP, piece.length, sizeBytes <= SMALL_BYTES);
        await inner.write(piece);
      }
    },
    commit: () => inner.commit(),
    abort: () => inner.abort(),
  };
}

/** Timers count in whole milliseconds; what is shorter is waited for with what comes next. */
async function waitFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms < 1) return;
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (cause) {
    if (signal?.aborted === true) throw new BackupError('interrupted', 'interrupted', { cause });
    throw cause;
  }
}
