import { BackupError, isBackupError } from '../../core/errors.ts';
import type { RegionPolicy } from '../../core/region-policy.ts';
import type { RetentionRule } from '../../core/retention-rule.ts';
import type { Vault } from '../../core/vault.ts';
import { type Check, failed, skipped } from '../../doctor/check.ts';
import { checkRegion } from '../../doctor/objective-checks.ts';
import { checkProbe, PROMISE_CHECKS } from '../../doctor/vault-checks.ts';
import { type ProbeOptions, probeVault } from '../../doctor/vault-probe.ts';
import { keptInRegionMs } from '../../policy/contradictions.ts';
import { readLock } from '../../policy/places.ts';
import { resolveVaultAddress } from '../address.ts';
import type { Settings } from '../config/config.ts';
import { beginStep, type CommandContext, withVault } from '../context.ts';
import { readHolding } from '../status/regions.ts';
import { systemClock } from '../wire.ts';

interface RegionPlace {
  readonly region: string;
  readonly storage: string;
  readonly retention: RetentionRule | null;
}

/**
 * The regions of the policy, all or those named; none where the configuration cannot be read or has no policy. Throws `usage` for a
 * name that is none of theirs.
 */
export function chooseRegions(
  settings: Settings | null,
  wanted: readonly string[] | undefined,
): RegionPlace[] {
  if (settings === null) return [];
  const { policy } = settings;
  if (policy === null && wanted === undefined) return [];
  if (policy === null) {
    throw new BackupError('usage', '--region needs a configuration with a policy', {
      hint: 'write `primary:` and `replicas:` into it (docs/policy.md)',
    });
  }
  const { primary, replicas, archive } = policy;
  const places: RegionPlace[] = [primary, ...replicas, ...(archive === null ? [] : [archive])];
  if (wanted === undefined) return places;
  return wanted.map((name) => {
    const place = places.find(({ region }) => region === name);
    if (place !== undefined) return place;
    throw new BackupError('usage', `the policy has no region ${JSON.stringify(name)}`, {
      hint: `it has ${places.map(({ region }) => region).join(', ')}`,
    });
  });
}

interface RegionOptions extends ProbeOptions {
  /** How far a replica may be behind; null: that is not judged. */
  readonly regionRpoMs: number | null;
}

/** Looks at the vaults of regions, but for the one that is looked at anyway. */
export async function lookAtRegions(
  context: CommandContext,
  settings: Settings | null,
  places: readonly RegionPlace[],
  options: RegionOptions,
): Promise<Check[]> {
  const checks: Check[] = [];
  if (settings === null || settings.policy === null) return checks;
  for (const place of places) {
    if (isVault(settings, place.storage, context.cwd)) continue;
    checks.push(...(await lookAtRegion(context, settings.policy, place, options)));
  }
  return checks;
}

/** Whether the vault that is worked with is at this place; an address that cannot be read is no place. */
export function isVault({ vault }: Settings, storage: string, cwd: string): boolean {
  if (vault === null) return false;
  try {
    return resolveVaultAddress(vault, cwd) === storage;
  } catch (error) {
    if (isBackupError(error)) return false;
    throw error;
  }
}

async function lookAtRegion(
  context: CommandContext,
  policy: RegionPolicy,
  place: RegionPlace,
  options: RegionOptions,
): Promise<Check[]> {
  const { region, storage } = place;
  const inRegion = (check: Check): Check => ({ ...check, name: `${region}: ${check.name}` });
  beginStep(context, `looking at ${region}`);
  try {
    return await withVault(storage, { create: false }, async (vault) => {
      const probe = await probeVault(vault, systemClock, options);
      const checks = checkProbe(probe, vault.address, keptMsOf(policy, place));
      return [...checks, ...(await lookAtHolding(policy, place, { vault, ...options }))].map(inRegion);
    });
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    const [vaultCheck, ...rest] = PROMISE_CHECKS;
    const reason = 'the vault of the region could not be looked at';
    return [failed(vaultCheck, error), ...rest.map((name) => skipped(name, reason))].map(inRegion);
  }
}

/** What of a replica was promised. */
async function lookAtHolding(
  policy: RegionPolicy,
  { region }: RegionPlace,
  { vault, regionRpoMs }: Pick<RegionOptions, 'regionRpoMs'> & { readonly vault: Vault },
): Promise<Check[]> {
  const isReplica = policy.replicas.some((replica) => replica.region === region);
  if (regionRpoMs === null || !isReplica) return [];
  return [checkRegion({ region, ...(await readHolding(vault, [])) }, regionRpoMs, systemClock.now())];
}

/** A lock that the address itself asks for is compared where the policy is read. */
export function keptMsOf(
  policy: RegionPolicy,
  place: Pick<RegionPlace, 'storage' | 'retention'>,
): number | null {
  return readLock(place.storage) === null ? keptInRegionMs(policy, place, systemClock.now()) : null;
}
