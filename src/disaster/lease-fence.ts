import type { Clock } from '../core/clock.ts';
import type { StepFacts } from '../core/disaster.ts';
import type { Fence } from '../core/disaster-ports.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { type DeposedMark, listDeposed, removeDeposed, writeDeposed } from '../format/deposed-mark.ts';
import { withLease } from '../upkeep/lease.ts';
import { readNewest, vaultNow } from '../upkeep/lease-row.ts';
import { type Claimant, primaryLease } from './claim.ts';
import { whyNot } from './reason.ts';
import { within } from './within.ts';

/**
 * The fence that needs no word from the old primary: its guard closes it when it loses the lease `primary-…`, so whoever has had the
 * lease knows that it is closed. A mark that was written before keeps guards of this and older timelines from taking it ever again; so
 * the lease need not be held on to, and the new primary's guard takes it at once (docs/guard.md).
 */

export interface LeaseFencePorts {
  /** Of the lease. Opened when it is needed: to do that again changes nothing. Whoever gives it closes it. */
  readonly vault: Vault;
  readonly clock: Clock;
  /** Who takes it, for people. */
  readonly holder: string;
  readonly steadyMs?: () => number;
}

export interface LeaseFenceOptions {
  readonly planId: string;
  /** Of the guards, as it is configured. */
  readonly ttlMs: number;
  /** Who was the primary. Null where nobody knows: the fence cannot be had then. */
  readonly deposed: Claimant | null;
}

/** What a taker of the lease waits beyond its time: the vault's own grace, and some looks. */
const MARGIN_MS = 10_000;
/** A guard that was not heard of for so long is no guard. */
const STALE_MS = 24 * 3_600_000;

export function leaseFence(ports: LeaseFencePorts, options: LeaseFenceOptions): Fence {
  const { vault } = ports;
  return {
    describe: `the lease of the primary in ${vault.address}: the guard beside the old primary closes it when the lease is not its own`,
    apply: async ({ signal }) => {
      const deposed = requireDeposed(options, vault);
      const outcome = await within(options.ttlMs + 3 * MARGIN_MS, signal, (own) =>
        depose(ports, deposed, options, own),
      );
      if (outcome.kind === 'done') return outcome.result;
      const { error } = outcome.kind === 'failed' ? outcome : { error: undefined };
      if (isBackupError(error, 'fence_failed')) throw error;
      throw new BackupError(
        'fence_failed',
        `the lease of the old primary in ${vault.address} cannot be had: ${whyNot(outcome)}`,
        {
          hint: 'its guard may still hold it: see that it can reach the vault, or fence the server in another way',
          cause: error,
        },
      );
    },
    // Guards may open again, if nothing else forbids it.
    lift: async () => {
      if (options.deposed !== null) await withdraw(vault, markOf(options, options.deposed));
    },
    check: async ({ signal }) => {
      if (options.deposed === null) return 'unknown';
      const wanted = markOf(options, options.deposed);
      const outcome = await within(MARGIN_MS, signal, () => findMarks(vault, wanted));
      if (outcome.kind !== 'done') return 'unknown';
      return outcome.result.some((mark) => isSame(mark, wanted)) ? 'fenced' : 'open';
    },
  };
}

/**
 * Another fence of the same server, behind which the lease is had as well: the new primary's guard opens only with it, so nothing is gained
 * by going on before. Where it cannot be had, the fence holds all the same.
 */
export function deposing(fence: Fence, ports: LeaseFencePorts, options: LeaseFenceOptions): Fence {
  if (options.deposed === null) return fence;
  const lease = leaseFence(ports, options);
  return {
    ...fence,
    apply: async (call) => {
      const facts = await fence.apply(call);
      try {
        const { waitedMs } = await lease.apply(call);
        return { ...facts, guards: 'the lease was had', leaseWaitedMs: waitedMs ?? null };
      } catch (error) {
        if (!isBackupError(error, 'fence_failed')) throw error;
        return { ...facts, guards: error.message };
      }
    },
    lift: async (call) => {
      await lease.lift?.(call);
      await fence.lift?.(call);
    },
  };
}

/** The mark first: a guard that can read it lets the lease go by itself, and one that cannot has no lease after its time. */
async function depose(
  ports: LeaseFencePorts,
  deposed: Claimant,
  options: LeaseFenceOptions,
  signal: AbortSignal,
): Promise<StepFacts> {
  const { vault, clock, holder, steadyMs } = ports;
  const lease = primaryLease(deposed.systemIdentifier);
  const mark = markOf(options, deposed);
  const marks = await findMarks(vault, mark);
  // Whoever is closed for another recovery is closed; with a mark of its own, this one does not depend on the other.
  if (marks.some(({ state, timeline }) => state === 'stands' && timeline >= deposed.timeline)) {
    await writeDeposed(vault, mark);
    return { lease, waitedMs: 0, timeline: deposed.timeline };
  }
  await requireGuard(ports, lease);
  await writeDeposed(vault, { ...mark, state: 'asked' });
  const beganAtMs = performance.now();
  await withLease(
    vault,
    lease,
    { clock, holder, ...(steadyMs === undefined ? {} : { steadyMs }) },
    (held) => {
      held.assertHeld();
      return writeDeposed(vault, mark);
    },
    { ttlMs: options.ttlMs, waitMs: options.ttlMs + MARGIN_MS, signal },
  );
  return { lease, waitedMs: Math.round(performance.now() - beganAtMs), timeline: deposed.timeline };
}

async function findMarks(vault: Vault, { systemIdentifier }: DeposedMark): Promise<DeposedMark[]> {
  await vault.open({ create: false });
  return listDeposed(vault, systemIdentifier);
}

async function withdraw(vault: Vault, mark: DeposedMark): Promise<void> {
  await vault.open({ create: false });
  await removeDeposed(vault, mark);
}

/** A lease that nobody ever held says nothing of a server: without a guard it is as open as before. */
async function requireGuard({ vault, clock }: LeaseFencePorts, lease: string): Promise<void> {
  const newest = await readNewest(vault, lease);
  const ageMs = newest === null ? null : (await vaultNow(vault, lease, clock)) - newest.writtenAtMs;
  if (ageMs !== null && ageMs < STALE_MS) return;
  const since =
    ageMs === null ? 'was never held' : `was last held ${Math.round(ageMs / 3_600_000)} hours ago`;
  throw new BackupError(
    'fence_failed',
    `the lease "${lease}" of ${vault.address} ${since}: no guard stands beside the old primary`,
    {
      hint: 'a lease fences only servers with a guard (docs/guard.md): fence this one in another way',
    },
  );
}

function markOf({ planId }: LeaseFenceOptions, deposed: Claimant): DeposedMark {
  const { systemIdentifier, timeline } = deposed;
  return { systemIdentifier, timeline, by: planId, state: 'stands' };
}

function isSame(a: DeposedMark, b: DeposedMark): boolean {
  return a.timeline === b.timeline && a.by === b.by && a.state === b.state;
}

function requireDeposed({ deposed }: LeaseFenceOptions, { address }: Vault): Claimant {
  if (deposed !== null) return deposed;
  throw new BackupError('fence_failed', `nobody knows which lease of ${address} the old primary holds`, {
    hint: 'no sample and no standby says its system and timeline: fence it in another way',
  });
}
