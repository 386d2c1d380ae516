import { BackupError, isBackupError } from '../core/errors.ts';
import type { Lease } from '../core/lease.ts';
import { compareUtf8 } from '../core/text-order.ts';
import { type LeaseOptions, withLease } from '../upkeep/lease.ts';
import type { RecoveryPorts, RecoverySettings, RegionVault } from './context.ts';
import { withDeadline } from './deadline.ts';

/** One recovery at a time. */
const DISASTER_LEASE = 'disaster';

/** What a run holds while it acts. */
export interface Locks {
  /** Those whose lease is held, in the order of their addresses. */
  readonly vaults: readonly RegionVault[];
  /** Configured, and not to be had: addresses, with the reason. */
  readonly missing: readonly { readonly vault: string; readonly reason: string }[];
  /** The greatest of the leases': a later holder of a majority has a greater one. */
  readonly epoch: number;
  /** Fires when another run could act: fewer than are needed are held, or the journal's is not. */
  readonly signal: AbortSignal;
  /** Throws `lease_held` then. */
  readonly assertHeld: () => void;
}

export interface LockRequest {
  readonly ports: Pick<RecoveryPorts, 'vaults' | 'clock' | 'actor'>;
  readonly settings: Pick<RecoverySettings, 'probeMs' | 'leaseTtlMs'>;
  /** Addresses of the plan: those that this host does not know of count, too. */
  readonly planned: readonly string[];
  readonly journalVault: string;
  /** Less than a majority is enough. */
  readonly acceptsMinority: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs work while the lease `disaster` is held in the vaults that can be reached. Two that both have a majority have one in common; all take
 * them in one order, so that none of them waits for another. Throws `lease_held`, `vault_unreachable` when the vault of the journal cannot
 * be had, and `recovery_refused` when they are no majority.
 */
export async function withLocks<Result>(
  request: LockRequest,
  work: (locks: Locks) => Promise<Result>,
): Promise<Result> {
  const held: HeldLease[] = [];
  try {
    const missing = await takeAll(request, held);
    const needed = neededOf(request);
    if (held.length < needed) throw tooFew(held.length, needed, missing);
    return await work(makeLocks(request, held, missing));
  } finally {
    await Promise.all(held.map((lease) => lease.giveBack()));
  }
}

/** Leases without which nobody may act. */
function neededOf({ planned, ports, acceptsMinority }: LockRequest): number {
  const configured = new Set([...planned, ...lockedOf(ports).map(({ vault }) => vault.address)]);
  return acceptsMinority ? 1 : Math.floor(configured.size / 2) + 1;
}

function lockedOf({ vaults }: Pick<RecoveryPorts, 'vaults'>): RegionVault[] {
  return vaults
    .filter(({ keepsJournal }) => keepsJournal)
    .toSorted((a, b) => compareUtf8(a.vault.address, b.vault.address));
}

async function takeAll(request: LockRequest, held: HeldLease[]): Promise<Locks['missing']> {
  const missing: { vault: string; reason: string }[] = [];
  for (const place of lockedOf(request.ports)) {
    const { address } = place.vault;
    try {
      held.push(await takeOne(place, request));
    } catch (error) {
      if (!isBackupError(error) || ['lease_held', 'interrupted'].includes(error.code)) throw error;
      if (address === request.journalVault) throw error;
      missing.push({ vault: address, reason: error.message });
    }
  }
  if (held.some(({ place }) => place.vault.address === request.journalVault)) return missing;
  throw new BackupError(
    'config_invalid',
    `the vault of the journal, ${request.journalVault}, is not configured here`,
    {
      hint: 'carry the recovery out on a host whose configuration names the regions of the plan',
    },
  );
}

interface HeldLease {
  readonly place: RegionVault;
  readonly lease: Lease;
  readonly lost: AbortSignal;
  /** Ends the lease. What the vault refuses ends by itself. */
  readonly giveBack: () => Promise<void>;
}

/** Turns the lease inside out: it is held until it is given back. A vault that does not answer in time is done without. */
async function takeOne(place: RegionVault, { ports, settings, signal }: LockRequest): Promise<HeldLease> {
  const { vault } = place;
  const taken = Promise.withResolvers<HeldLease>();
  const givenUp = new AbortController();
  const options: LeaseOptions = { ttlMs: settings.leaseTtlMs, signal: givenUp.signal };
  const holder = { clock: ports.clock, holder: ports.actor };
  const holding = withDeadline(`opening ${vault.address}`, settings.probeMs, signal, () =>
    vault.open({ create: true }),
  ).then(() =>
    withLease(
      vault,
      DISASTER_LEASE,
      holder,
      (lease, lost) => {
        // Who was given up has nobody who would give it back.
        if (givenUp.signal.aborted) return Promise.resolve();
        const end = Promise.withResolvers<void>();
        const giveBack = (): Promise<void> => {
          end.resolve();
          return withDeadline('giving back a lease', settings.probeMs, undefined, () => holding).catch(
            ignore,
          );
        };
        taken.resolve({ place, lease, lost, giveBack });
        return end.promise;
      },
      options,
    ),
  );
  holding.catch(taken.reject);
  try {
    return await withDeadline(
      `taking the lease "${DISASTER_LEASE}" of ${vault.address}`,
      2 * settings.probeMs,
      signal,
      () => taken.promise,
    );
  } catch (error) {
    givenUp.abort();
    throw error;
  }
}

function ignore(error: unknown): void {
  if (!isBackupError(error)) throw error;
}

function makeLocks(request: LockRequest, held: readonly HeldLease[], missing: Locks['missing']): Locks {
  const needed = neededOf(request);
  const lost = new AbortController();
  const findLoss = (): BackupError | null => {
    const isJournal = ({ place }: HeldLease): boolean => place.vault.address === request.journalVault;
    const standing = held.filter(stands);
    if (standing.length >= needed && standing.some(isJournal)) return null;
    return new BackupError(
      'lease_held',
      `the lease "${DISASTER_LEASE}" may have ended: another run may act now`,
      {
        hint: 'what was begun is left as it is: look at `eventcore dr status`, then take the run up with `eventcore dr resume`',
        facts: { held: standing.length, needed },
      },
    );
  };
  for (const lease of held) {
    lease.lost.addEventListener('abort', () => {
      if (findLoss() !== null) lost.abort();
    });
  }
  return {
    vaults: held.map(({ place }) => place),
    missing,
    epoch: Math.max(...held.map(({ lease }) => lease.epoch)),
    signal: lost.signal,
    assertHeld: () => {
      const loss = findLoss();
      if (loss !== null) throw loss;
    },
  };
}

function stands({ lease, lost }: HeldLease): boolean {
  if (lost.aborted) return false;
  try {
    lease.assertHeld();
    return true;
  } catch (error) {
    if (isBackupError(error, 'lease_held')) return false;
    throw error;
  }
}

function tooFew(held: number, needed: number, missing: Locks['missing']): BackupError {
  const reasons = missing.map(({ vault, reason }) => `${vault}: ${reason}`).join('; ');
  return new BackupError(
    'recovery_refused',
    `only ${held} of the vaults can be locked, and ${needed} are needed`,
    {
      hint: `another run could hold the others: make sure that there is none, then accept that with --accept-minority (${reasons})`,
      facts: { held, needed, flag: '--accept-minority' },
    },
  );
}
