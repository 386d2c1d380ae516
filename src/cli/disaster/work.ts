import type { ReadKeys } from '../../format/open-bundle.ts';
import { requireDisaster, type Settings } from '../config/config.ts';
import type { CommandContext } from '../context.ts';
import { type KeyFlags, loadKeys } from '../keys/keys.ts';
import type { DisasterSettings } from './config.ts';
import { type DisasterVaults, withDisasterVaults } from './vaults.ts';

/** What a command of disaster recovery works with. */
export interface DisasterWork {
  readonly context: CommandContext;
  readonly settings: Settings;
  readonly disaster: DisasterSettings;
  readonly vaults: DisasterVaults;
  readonly keys: ReadKeys;
}

/** Opens what there is of the vaults; one that cannot be opened is warned of. */
export async function withDisasterWork<Result>(
  context: CommandContext,
  flags: KeyFlags,
  { writes }: { readonly writes: boolean },
  work: (work: DisasterWork) => Promise<Result>,
): Promise<Result> {
  const settings = await context.settings();
  // Who only reads what was done has no use for what is worth a look in the configuration.
  const disaster = requireDisaster(settings, writes ? context.log.warn : () => {});
  const keys = await loadKeys(settings, flags, { ...context, signs: writes });
  return withDisasterVaults(disaster, { create: writes, signal: context.signal }, (vaults) => {
    for (const { region, vault, reason } of vaults.missing) {
      context.log.warn(`the vault ${vault} of region ${region} cannot be used: ${reason}`);
    }
    return work({ context, settings, disaster, vaults, keys });
  });
}
