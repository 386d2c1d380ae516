import type { EventStore } from '../../core/event-store.ts';
import type { BackupVerification } from '../../core/report.ts';
import type { TrustPolicy } from '../../core/trust.ts';
import { plural, printable } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import type { Catalog } from '../../format/catalog.ts';
import type { LogVerification } from '../../integrity/verify/log.ts';
import { type HealReport, healVault } from '../../upkeep/heal.ts';
import { storeDonor } from '../../upkeep/store-donor.ts';
import type { ThrottleOptions } from '../../vaults/wrappers/throttle.ts';
import type { Settings } from '../config/config.ts';
import { beginStep, type CommandContext } from '../context.ts';
import { underLease } from '../leases.ts';
import type { Paint } from '../output.ts';
import { withOtherRegions } from '../regions.ts';
import { systemClock } from '../wire.ts';

/** Folders of what a verification found unsound. */
export function suspectFolders(
  { backups, damaged, unfinished }: Catalog,
  verified: readonly BackupVerification[],
  logs: readonly LogVerification[],
): string[] {
  const unsound = new Set(
    verified.filter(({ overallValid }) => !overallValid).map(({ backupId }) => backupId),
  );
  const folders = [
    ...backups.map(({ folder, manifest }) => ({ folder, backupId: manifest.backupId })),
    ...damaged,
    ...unfinished,
  ];
  return [
    ...folders.filter(({ backupId }) => unsound.has(backupId)).map(({ folder }) => folder),
    ...logs.filter(({ problems }) => problems.length > 0).map(({ folder }) => folder),
  ];
}

interface HealWork {
  readonly vault: Vault;
  /** The vault as the policy names it. */
  readonly address: string;
  readonly folders: readonly string[];
  readonly trust: TrustPolicy;
  readonly limit: ThrottleOptions | null;
  /** The live store, to make anew what no region has sound; null where it is not to be asked. */
  readonly store: EventStore | null;
}

/** Mends what it can with what the other regions of the policy have, and what the store still holds. */
export async function healFolders(
  context: CommandContext,
  settings: Settings,
  { vault, address, folders, trust, limit, store }: HealWork,
): Promise<HealReport> {
  const { signal, progress } = context;
  beginStep(context, 'looking for sound copies');
  let bytes = 0;
  const onBytes = (more: number): void => {
    bytes += more;
    progress.update({ events: 0, bytes, totalEvents: null, totalBytes: null });
  };
  const report = await withOtherRegions(context, settings, { own: address, limit }, (donors) =>
    underLease(vault, { signal, waitMs: WAIT_MS })(async (lease, held) => {
      const rebuilder = store === null ? null : storeDonor({ vault, store }, held);
      const all = rebuilder === null ? donors : [...donors, rebuilder];
      try {
        return await healVault(
          { vault, donors: all, lease, clock: systemClock },
          { folders, trust, onBytes, signal: held },
        );
      } finally {
        await rebuilder?.close();
      }
    }),
  );
  progress.end();
  return report;
}

/** An archiver that joins files is done within this time. */
const WAIT_MS = 30_000;

export function healLines({ healed, unhealed }: HealReport, paint: Paint): string[] {
  return [
    ...(healed.length === 0 ? [] : [`${paint('good', 'Healed')}: ${plural(healed.length, 'object')}`]),
    ...healed.map(({ name, from, was }) => `  ${printable(name)} was ${was}, from ${printable(from)}`),
    ...(unhealed.length === 0 ? [] : [`${paint('bad', 'Not healed')}: ${plural(unhealed.length, 'object')}`]),
    ...unhealed.map(({ name, reason }) => `  ${printable(name)}: ${printable(reason)}`),
  ];
}
