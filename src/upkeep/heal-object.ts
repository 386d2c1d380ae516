import { type BackupError, isBackupError } from '../core/errors.ts';
import type { Lease } from '../core/lease.ts';
import type { TrustPolicy } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { isFrozen } from '../format/keep-marks.ts';
import { copyChecked } from './copy-checked.ts';
import { checkObject, type MakeCheck } from './object-check.ts';

/** One run that mends what is damaged in a vault with what others have. */
export interface HealRun {
  readonly vault: Vault;
  /** Tried in this order. */
  readonly donors: readonly Vault[];
  readonly lease: Lease;
  readonly trust: TrustPolicy | undefined;
  readonly signal: AbortSignal | undefined;
  readonly healed: HealedObject[];
  readonly unhealed: UnhealedObject[];
  readonly onBytes: (bytes: number) => void;
}

export interface HealedObject {
  readonly name: string;
  /** Address of the vault that had it. */
  readonly from: string;
  readonly was: 'missing' | 'damaged';
}

export interface UnhealedObject {
  readonly name: string;
  readonly reason: string;
}

/** Sound bytes lie here, under the whole name of an object, until they are in its place (FORMAT.md §12.2). */
export const HEALING_PREFIX = 'healing/';

/** Another place from which an object can be had. */
export type Fetch = (donor: Vault, as: string) => Promise<boolean>;

/**
 * Puts a sound object where a damaged one is, or none. It is first there under another name, and proven; so whenever this dies, the next
 * run has it and goes on. True when the object is sound in the end.
 */
export async function healObject(
  run: HealRun,
  name: string,
  make: MakeCheck,
  fetch: Fetch = sameName(run, name, make),
): Promise<boolean> {
  const { vault, signal } = run;
  const found = await checkObject(vault, name, make, signal);
  if (found.state === 'sound') return true;
  if (found.state === 'unsound' && (await isFrozen(vault))) {
    run.unhealed.push({ name, reason: 'the vault is frozen: nothing is removed from it' });
    return false;
  }
  const from = await fetchSound(run, name, make, fetch);
  if (from === null) return false;
  try {
    if (found.state === 'unsound') {
      run.lease.assertHeld();
      await vault.removeObject(name);
    }
    await putInPlace(run, name);
  } catch (error) {
    if (!isBackupError(error, 'vault_refused')) throw error;
    run.unhealed.push({ name, reason: error.message });
    return false;
  }
  if ((await checkObject(vault, name, make, signal)).state !== 'sound') {
    run.unhealed.push({ name, reason: `${vault.address} does not keep it as it is written` });
    return false;
  }
  run.healed.push({ name, from, was: found.state === 'missing' ? 'missing' : 'damaged' });
  await removeTemporary(run, name);
  return true;
}

function sameName({ vault, signal, onBytes }: HealRun, name: string, make: MakeCheck): Fetch {
  return async (donor, as) => {
    const options = { as, readBack: true, signal, onBytes };
    return (await copyChecked(donor, vault, name, make, options)).state === 'copied';
  };
}

/** Where the sound bytes came from, that are now there under their temporary name; null when nobody has them. */
async function fetchSound(run: HealRun, name: string, make: MakeCheck, fetch: Fetch): Promise<string | null> {
  const { vault, donors, signal } = run;
  const as = HEALING_PREFIX + name;
  const left = await checkObject(vault, as, make, signal);
  if (left.state === 'sound') return 'a run that ended before it was done';
  if (left.state === 'unsound') await vault.removeObject(as);
  let reason = 'no other vault has it as it should be';
  for (const donor of donors) {
    try {
      if (await fetch(donor, as)) return donor.address;
    } catch (error) {
      if (!isDonorsFault(error)) throw error;
      reason = error.message;
    }
  }
  run.unhealed.push({ name, reason });
  return null;
}

/** Another one may have it. */
export function isDonorsFault(error: unknown): error is BackupError {
  return isBackupError(error, 'vault_unreachable', 'vault_refused', 'object_archived', 'damaged');
}

async function putInPlace({ vault }: HealRun, name: string): Promise<void> {
  try {
    await vault.copyObject(HEALING_PREFIX + name, name);
  } catch (error) {
    // Somebody else put it there; what it is like is looked at next.
    if (!isBackupError(error, 'vault_object_exists')) throw error;
  }
}

/** Of an object that is sound. A vault that keeps it all the same does no harm. */
export async function removeTemporary({ vault }: HealRun, name: string): Promise<void> {
  try {
    await vault.removeObject(HEALING_PREFIX + name);
  } catch (error) {
    if (!isBackupError(error, 'vault_refused')) throw error;
  }
}

export async function listNames(vault: Vault, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list(prefix)) names.push(name);
  return names;
}
