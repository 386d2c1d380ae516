import type { Clock } from '../core/clock.ts';
import { throwIfAborted } from '../core/errors.ts';
import type { Lease } from '../core/lease.ts';
import type { Manifest } from '../core/manifest.ts';
import type { TrustPolicy } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { MANIFEST_NAME, parseBundleName } from '../format/bundle.ts';
import { parseLogName, parseQuietName } from '../format/log-name.ts';
import { decodeManifest, MAX_MANIFEST_BYTES } from '../format/manifest-codec.ts';
import { healKeyRecords } from './heal-keys.ts';
import { healLog } from './heal-log.ts';
import {
  HEALING_PREFIX,
  type HealedObject,
  type HealRun,
  healObject,
  isDonorsFault,
  listNames,
  removeTemporary,
  type UnhealedObject,
} from './heal-object.ts';
import { findReplaced, healParents } from './heal-parents.ts';
import {
  checkObject,
  digestCheck,
  logCheck,
  type MakeCheck,
  manifestCheck,
  recordCheck,
} from './object-check.ts';
import { filesOf } from './sync-bundle.ts';

export interface HealPorts {
  readonly vault: Vault;
  readonly clock: Clock;
  /** Copies of it, in the order in which they are asked. */
  readonly donors: readonly Vault[];
  /** Of the vault, held. */
  readonly lease: Lease;
}

export interface HealOptions {
  /** Folders of backups and of logs in which something is not as it should be. */
  readonly folders: readonly string[];
  /** Whose signatures manifests must have; left out: anybody's, and none is needed. */
  readonly trust?: TrustPolicy | undefined;
  readonly onBytes?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface HealReport {
  readonly healed: readonly HealedObject[];
  readonly unhealed: readonly UnhealedObject[];
}

/**
 * Replaces what is damaged or missing in some folders by what another vault has, where that is what manifest, log or its own
 * checksum says that it should be. Needs no key. What nobody has as it should be stays as it is.
 */
export async function healVault(
  { vault, clock, donors, lease }: HealPorts,
  { folders, trust, onBytes, signal }: HealOptions,
): Promise<HealReport> {
  const run: HealRun = {
    ...{ vault, donors, lease, trust, signal, healed: [], unhealed: [] },
    onBytes: onBytes ?? (() => undefined),
  };
  const begun = await listNames(vault, HEALING_PREFIX);
  const left = begun.map((name) => folderOf(name.slice(HEALING_PREFIX.length)));
  for (const name of begun) await finishLogFile(run, name.slice(HEALING_PREFIX.length));
  for (const folder of new Set([...folders, ...left])) {
    throwIfAborted(signal);
    if (parseBundleName(folder) !== null) await healBundle(run, folder);
    else if (isLogFolder(folder)) await healLog(run, folder);
  }
  for (const { folder, checksum } of await findReplaced(vault)) await healBundle(run, folder, checksum);
  await healParents(run, clock);
  for (const name of begun) await clearAway(run, name.slice(HEALING_PREFIX.length));
  // What one step could not do, another one may have.
  const reasons = new Map(run.unhealed.map((object) => [object.name, object]));
  for (const { name } of run.healed) reasons.delete(name);
  return { healed: run.healed, unhealed: [...reasons.values()] };
}

function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/') + 1);
}

/** At the end of a log nobody would miss what was taken away and not put back. */
async function finishLogFile(run: HealRun, name: string): Promise<void> {
  const parsed = parseLogName(name);
  const end = parsed?.to ?? parseQuietName(name)?.at;
  if (end === undefined) return;
  await healObject(run, name, () => (parsed?.kind === 'gap' ? recordCheck() : logCheck(end)));
}

function isLogFolder(folder: string): boolean {
  return parseLogName(`${folder}0000000000000000-0000000000000000.log`) !== null;
}

/** What an earlier run left, and that is of no more use. */
async function clearAway(run: HealRun, name: string): Promise<void> {
  const isNeeded = run.unhealed.some((object) => object.name === name);
  if (!isNeeded && (await run.vault.stat(name)) !== null) await removeTemporary(run, name);
}

/** `checksum`: of the manifest, where another backup says what it was. */
async function healBundle(run: HealRun, folder: string, checksum?: string): Promise<void> {
  const { vault, trust } = run;
  const name = folder + MANIFEST_NAME;
  const make = () => manifestCheck(name, { trust, checksum });
  const found = await checkObject(vault, name, make, run.signal);
  // Who removes a backup begins with its manifest: one that is gone is only missed where the rest is there.
  if (found.state === 'missing' && !(await isComplete(run, folder))) return;
  const others = await donorManifests(run, name, make);
  if (found.state !== 'sound' && new Set(others.map(({ text }) => text)).size > 1) {
    run.unhealed.push({ name, reason: 'other vaults have different ones' });
    return;
  }
  if (!(await healObject(run, name, make))) return;
  const manifest = await readManifest(vault, name);
  if (found.state === 'sound') noteOther(run, name, manifest, others);
  for (const part of filesOf({ folder, manifest })) {
    throwIfAborted(run.signal);
    await healObject(run, part.name, () => digestCheck(part));
  }
  if (manifest.sealing !== undefined) await healKeyRecords(run, folder, manifest.sealing.keyId);
}

/** Who can write into a vault can make a checksum fit: a person has to see which one is right. */
function noteOther(
  { unhealed }: HealRun,
  name: string,
  own: Manifest,
  others: readonly DonorManifest[],
): void {
  const other = others.find(({ text }) => text !== JSON.stringify(own));
  if (other === undefined) return;
  const reason = `it has its checksum, as has another one in ${other.address}: nothing proves which is right`;
  unhealed.push({ name, reason });
}

async function readManifest(vault: Vault, name: string) {
  const info = await vault.stat(name);
  return decodeManifest(await vault.readRange(name, 0, Math.min(info?.sizeBytes ?? 0, MAX_MANIFEST_BYTES)));
}

interface DonorManifest {
  readonly address: string;
  readonly manifest: Manifest;
  readonly text: string;
}

/** Manifests of donors, as far as they can be had and are sound. A checksum says that one is whole, not that it is the right one. */
async function donorManifests(
  { donors, signal }: HealRun,
  name: string,
  make: MakeCheck,
): Promise<DonorManifest[]> {
  const manifests: DonorManifest[] = [];
  for (const donor of donors) {
    try {
      const found = await checkObject(donor, name, make, signal);
      if (found.state !== 'sound') continue;
      const manifest = await readManifest(donor, name);
      manifests.push({ address: donor.address, manifest, text: JSON.stringify(manifest) });
    } catch (error) {
      if (!isDonorsFault(error)) throw error;
    }
  }
  return manifests;
}

/** Whether all files are there that a donor's manifest names. */
async function isComplete(run: HealRun, folder: string): Promise<boolean> {
  const name = folder + MANIFEST_NAME;
  const [first] = await donorManifests(run, name, () => manifestCheck(name, run));
  if (first === undefined) return false;
  for (const { name, sizeBytes } of filesOf({ folder, manifest: first.manifest })) {
    if ((await run.vault.stat(name))?.sizeBytes !== sizeBytes) return false;
  }
  return true;
}
