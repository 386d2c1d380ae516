import { BackupError, isBackupError } from '../../core/errors.ts';
import type { Vault } from '../../core/vault.ts';
import { withDeadline } from '../../disaster/deadline.ts';
import { leaveSilent } from '../../vaults/wrappers/leave-silent.ts';
import { openOnce } from '../../vaults/wrappers/open-once.ts';
import { openVault } from '../wire.ts';
import type { DisasterSettings } from './config.ts';

/** A vault of the configuration, whether it can be reached or not. */
export interface PlacedVault {
  readonly region: string;
  readonly vault: Vault;
  /** Plan, journal and lease are kept there as well: not in copies and archives. */
  readonly keepsJournal: boolean;
  readonly isArchive: boolean;
}

export interface MissingVault {
  readonly region: string;
  readonly vault: string;
  readonly isArchive: boolean;
  readonly reason: string;
}

export interface DisasterVaults {
  readonly all: readonly PlacedVault[];
  /** Those that answered in time. */
  readonly open: readonly PlacedVault[];
  readonly missing: readonly MissingVault[];
}

/** A vault of a lost region must not hold up what is done with the others, and not again and again. */
const OPEN_MS = 5000;
const REST_MS = 30_000;
const GRACE_MS = 1000;

/** Opens what can be opened; a directory that is not there is made only where something is to be written. */
export async function withDisasterVaults<Result>(
  disaster: DisasterSettings,
  { create, signal }: { readonly create: boolean; readonly signal: AbortSignal },
  work: (vaults: DisasterVaults) => Promise<Result>,
): Promise<Result> {
  const all = placeVaults(disaster);
  try {
    const reasons = await Promise.all(
      all.map((place) => whyNotOpen(place.vault, create && place.keepsJournal, signal)),
    );
    return await work({
      all,
      open: all.filter((_, i) => reasons[i] === null),
      missing: all.flatMap(({ region, vault, isArchive }, i) =>
        reasons[i] === null ? [] : [{ region, vault: vault.address, isArchive, reason: reasons[i]! }],
      ),
    });
  } finally {
    await Promise.all(all.map(({ vault }) => vault.close()));
  }
}

/** Two addresses may be one vault, which must not be locked twice. */
function placeVaults({ vaults }: DisasterSettings): PlacedVault[] {
  const placed = vaults.map(({ address, ...place }) => ({
    ...place,
    vault: openOnce(leaveSilent(openVault(address), { openMs: OPEN_MS, restMs: REST_MS })),
  }));
  return placed.filter(
    ({ vault }, i) => placed.findIndex((other) => other.vault.address === vault.address) === i,
  );
}

async function whyNotOpen(vault: Vault, create: boolean, signal: AbortSignal): Promise<string | null> {
  try {
    await withDeadline(`opening ${vault.address}`, OPEN_MS + GRACE_MS, signal, () => vault.open({ create }));
    return null;
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    return error.message;
  }
}

/** Throws `vault_unreachable` when none of them can be read. */
export function requireOpen({ open, missing }: DisasterVaults): readonly PlacedVault[] {
  if (open.length > 0) return open;
  throw new BackupError('vault_unreachable', 'no vault of any region can be reached', {
    hint: missing.map(({ vault, reason }) => `${vault}: ${reason}`).join('; '),
  });
}
