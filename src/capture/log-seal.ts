import type { Clock } from '../core/clock.ts';
import { isBackupError } from '../core/errors.ts';
import type { Signer } from '../core/key-ring.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { type BundleSeal, isSealing, makeSeal, type WriteKeys } from '../format/bundle-seal.ts';
import { logScope } from '../format/log-name.ts';

/** What the blocks of a run are sealed and signed with. */
export interface LogSealer {
  /** Null when nothing is to be sealed. Its key's record is in the vault by then. */
  sealFor(folder: string): Promise<BundleSeal | null>;
  readonly signer: Signer | null;
}

/**
 * A key seals at most five pieces of a block, and a flush every 10 ms, the least that can be set, makes a hundred blocks a second: a
 * day of that is 2^26 pieces, far from the 2^32 up to which nonces that are drawn by chance do not meet.
 */
const KEY_MS = 24 * 3_600_000;

/**
 * A run has its own key for each folder, and a new one each day. A record that nothing was sealed for, since the run died, is
 * harmless. Records go straight to the vault, also where blocks wait in a spool: without a key nothing is ever put aside.
 */
export function makeLogSealer(
  vault: Vault,
  clock: Clock,
  software: string,
  keys: WriteKeys | undefined,
): LogSealer {
  let current: { readonly folder: string; readonly madeAtMs: number; readonly seal: BundleSeal } | null =
    null;
  return {
    signer: keys?.signer ?? null,
    async sealFor(folder) {
      if (!isSealing(keys)) return null;
      const nowMs = clock.now();
      const isOwn = current !== null && current.folder === folder;
      if (isOwn && nowMs - current!.madeAtMs < KEY_MS) return current!.seal;
      const createdAt = formatTime(timeFromUnixMs(nowMs), 3);
      try {
        const seal = await makeSeal(vault, keys, { folder, scope: logScope(folder), createdAt, software });
        current = { folder, madeAtMs: nowMs, seal };
        return seal;
      } catch (error) {
        // A vault or a key service that is away is no reason to hold back what yesterday's key can seal.
        if (isOwn && isBackupError(error) && error.retryable) return current!.seal;
        throw error;
      }
    },
  };
}
