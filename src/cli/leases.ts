import type { UnderLease } from '../core/lease.ts';
import type { Vault } from '../core/vault.ts';
import { type LeaseOptions, UPKEEP_LEASE, withLease } from '../upkeep/lease.ts';
import { systemClock, systemHolder } from './wire.ts';

/** Runs what removes or joins in a vault under its lease, or other work under one of its own, in the name of this process. */
export function underLease(vault: Vault, options: LeaseOptions, lease = UPKEEP_LEASE): UnderLease {
  const ports = { clock: systemClock, holder: systemHolder };
  return (work) => withLease(vault, lease, ports, work, options);
}
