import type { Command } from 'commander';
import { BackupError } from '../core/errors.ts';
import type { RegionPolicy } from '../core/region-policy.ts';
import type { RetentionRule } from '../core/retention-rule.ts';
import type { Vault } from '../core/vault.ts';
import type { ThrottleOptions } from '../vaults/wrappers/throttle.ts';
import { CONFIG_NAME, requireAddress, type Settings } from './config/config.ts';
import type { CommandContext } from './context.ts';
import { limitVault, openVault } from './wire.ts';

/** A region of the policy, whatever it is there for. */
export interface NamedRegion {
  readonly region: string;
  readonly kind: 'primary' | 'replica' | 'archive';
  readonly storage: string;
  readonly retention: RetentionRule | null;
  /** Of the archive. */
  readonly afterDays: number | null;
}

export function regionsOf({ primary, replicas, archive }: RegionPolicy): NamedRegion[] {
  const named = (
    { region, storage, retention }: RegionPolicy['primary'] | RegionPolicy['replicas'][number],
    kind: NamedRegion['kind'],
  ): NamedRegion => ({ region, kind, storage, retention, afterDays: null });
  return [
    named(primary, 'primary'),
    ...replicas.map((replica) => named(replica, 'replica')),
    ...(archive === null
      ? []
      : [
          {
            ...{ region: archive.region, kind: 'archive' as const, storage: archive.storage },
            ...{ retention: archive.retention, afterDays: archive.afterDays },
          },
        ]),
  ];
}

/** Whether two addresses, however they are written, name one vault. */
export function isSameVault(a: string, b: string): boolean {
  return openVault(a).address === openVault(b).address;
}

/** Throws `usage` when the policy has no such region. */
export function findRegion(policy: RegionPolicy, name: string): NamedRegion {
  const regions = regionsOf(policy);
  const found = regions.find(({ region }) => region === name);
  if (found !== undefined) return found;
  throw new BackupError('usage', `the policy has no region ${JSON.stringify(name)}`, {
    hint: `its regions are ${regions.map(({ region }) => region).join(', ')}`,
  });
}

export interface RegionFlags {
  readonly region?: string;
}

export function addRegionOption<Options extends Command>(command: Options): Options {
  return command.option('--region <name>', 'the vault of this region of the policy, instead of --vault');
}

/** The vault that a command reads: that of a region, or the one that is named or configured. */
export function vaultToRead(context: CommandContext, settings: Settings, { region }: RegionFlags): string {
  if (region === undefined) return requireAddress(settings, 'vault');
  if (context.flags.vault !== undefined) {
    throw new BackupError('usage', '--region and --vault both name a vault', { hint: 'pass one of them' });
  }
  if (settings.policy !== null) return findRegion(settings.policy, region).storage;
  throw new BackupError(
    'usage',
    `there is no region ${JSON.stringify(region)}: no policy says what there is`,
    {
      hint: `write \`primary:\` and \`replicas:\` into ${settings.file ?? CONFIG_NAME} (docs/policy.md), or name the vault with --vault`,
    },
  );
}

interface OtherRegions {
  /** Address of the vault that is none of them. */
  readonly own: string;
  readonly limit: ThrottleOptions | null;
  /** Left out: all. */
  readonly names?: readonly string[];
}

/** The vaults of all other regions, or of those that are named, that can be opened; of others a warning says why not. */
export async function withOtherRegions<Result>(
  context: CommandContext,
  settings: Settings,
  { own, limit, names }: OtherRegions,
  work: (vaults: readonly Vault[]) => Promise<Result>,
): Promise<Result> {
  const all = settings.policy === null ? [] : regionsOf(settings.policy);
  const regions = all.filter(({ region }) => names === undefined || names.includes(region));
  const vaults: Vault[] = [];
  try {
    for (const { region, storage } of regions.filter((other) => !isSameVault(other.storage, own))) {
      const opened = openVault(storage);
      const vault = limit === null ? opened : limitVault(opened, limit);
      try {
        await vault.open({ create: false });
        vaults.push(vault);
      } catch (error) {
        if (!(error instanceof BackupError)) throw error;
        await vault.close();
        context.log.warn(`region ${region} cannot be asked: ${error.message}`);
      }
    }
    return await work(vaults);
  } finally {
    for (const vault of vaults) await vault.close();
  }
}
