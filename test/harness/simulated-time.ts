import type { Vault } from '../../src/core/vault.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { datedVault } from './dated-vault.ts';

/** A vault with a clock of its own, which tests set. */
export interface TimedVault {
  readonly vault: Vault;
  nowMs: number;
}

export function timedVault(): TimedVault {
  const timed: TimedVault = {
    nowMs: Date.UTC(2026, 0, 1),
    vault: datedVault(memoryVault(), () => timed.nowMs),
  };
  return timed;
}
