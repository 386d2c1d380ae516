import type { RecoveryPlan } from '../../core/disaster.ts';
import type { Fence, PublicName } from '../../core/disaster-ports.ts';
import { type BackupError, isBackupError } from '../../core/errors.ts';
import { primaryLease } from '../../disaster/claim.ts';
import type { RecoveryPorts } from '../../disaster/context.ts';
import { withDeadline } from '../../disaster/deadline.ts';
import type {
  FenceFact,
  GuardFact,
  NameFact,
  PlaceFact,
  ServerFences,
} from '../../doctor/disaster-checks.ts';
import { readNewest, vaultNow } from '../../upkeep/lease-row.ts';
import { systemClock } from '../wire.ts';
import type { Assessed } from './assessment.ts';
import { openLeaseVault } from './ports.ts';
import type { DisasterWork } from './work.ts';

/** Whether the ways that a recovery would take can be taken: each is asked, and none is taken. */

const ASK_MS = 20_000;

export function findServerFences(
  ports: RecoveryPorts,
  servers: readonly string[],
  signal: AbortSignal,
): Promise<ServerFences[]> {
  return Promise.all(
    servers.map(async (server) => {
      const fences = ports.fences.get(server) ?? [];
      return { server, fences: await Promise.all(fences.map((fence) => askFence(fence, server, signal))) };
    }),
  );
}

async function askFence(fence: Fence, server: string, signal: AbortSignal): Promise<FenceFact> {
  const { describe } = fence;
  const isOwn = describe.startsWith(`${server} `);
  try {
    const state = await withDeadline(`asking whether ${describe} holds`, ASK_MS, signal, (own) =>
      fence.check({ signal: own }),
    );
    return { describe, state, reason: null, isOwn };
  } catch (error) {
    return { describe, state: 'unknown', reason: known(error).message, isOwn };
  }
}

/** A change from what it is to what it is proves key and rights: the name's own server has to take it. */
export async function findName(
  { disaster, context: { signal } }: DisasterWork,
  name: PublicName | null,
  wanted: string | null,
): Promise<NameFact | null> {
  if (name === null) return null;
  const { describe } = name;
  const fact = { describe, wanted, value: null, isWritable: null, failure: null };
  try {
    return await withDeadline(`asking what ${name.name} leads to`, ASK_MS, signal, async (own) => {
      const value = await name.read({ signal: own });
      const isTried = disaster.name?.rfc2136 !== undefined && value !== null;
      if (isTried) await name.switchTo({ from: value, to: value }, { signal: own });
      return { ...fact, value, isWritable: isTried ? true : null };
    });
  } catch (error) {
    return { ...fact, failure: known(error) };
  }
}

export function findPlaces(
  { places, restorer }: RecoveryPorts,
  regions: readonly string[],
  signal: AbortSignal,
): Promise<PlaceFact[]> {
  const named = [...places].filter(([region]) => regions.includes(region));
  return Promise.all(
    named.map(async ([region, { address: place }]) => {
      try {
        const refusal = await withDeadline(`asking ${place}`, ASK_MS, signal, (own) =>
          restorer.refuse(place, { signal: own }),
        );
        return { region, place, refusal };
      } catch (error) {
        return { region, place, refusal: known(error).message };
      }
    }),
  );
}

/** Null where no fence relies on a lease. */
export async function findGuard(work: DisasterWork, { assessment }: Assessed): Promise<GuardFact | null> {
  const { lease } = work.disaster;
  if (lease === null) return null;
  const { systemIdentifier } = assessment.primary;
  const vault = openLeaseVault(lease.vault, work.vaults.all);
  const fact = { vault: vault.address, ttlMs: lease.ttlMs };
  if (systemIdentifier === null) return { ...fact, renewedAgoMs: null };
  const name = primaryLease(systemIdentifier);
  try {
    return await withDeadline(`asking ${vault.address}`, ASK_MS, work.context.signal, async () => {
      await vault.open({ create: false });
      const newest = await readNewest(vault, name);
      if (newest === null) return { ...fact, renewedAgoMs: null };
      return {
        ...fact,
        renewedAgoMs: Math.max(0, (await vaultNow(vault, name, systemClock)) - newest.writtenAtMs),
      };
    });
  } catch (error) {
    known(error);
    return { ...fact, renewedAgoMs: null };
  } finally {
    if (!work.vaults.all.some((place) => place.vault === vault)) await vault.close();
  }
}

/** What the name should say while this server is the primary. */
export function valueOfPrimary(
  { values }: RecoveryPorts,
  { primary }: Pick<RecoveryPlan, 'primary'>,
): string | null {
  return primary.server === null || primary.state !== 'alive' ? null : (values.get(primary.server) ?? null);
}

/** Anything else is a bug, or the wish to stop, and is no finding. */
function known(error: unknown): BackupError {
  if (isBackupError(error) && error.code !== 'interrupted') return error;
  throw error;
}
