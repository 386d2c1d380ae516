import type { Clock } from '../core/clock.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';

/** A folder of its own, in which nothing stays. */
export const PROBE_PREFIX = 'doctor/';

export interface VaultProbe {
  /** Of the vault's clock before this machine's. */
  readonly clockAheadMs: number;
  readonly freeBytes: number | null;
  /** What the vault promises and does not keep, in words. */
  readonly broken: readonly string[];
}

const CONTENT = new TextEncoder().encode('eventcore doctor was here\n');
/** What an earlier probe left is no longer that of one that runs now. */
const STALE_MS = 60 * 60 * 1000;

/** Writes, reads, lists and removes an object, and sees who wins when two write the same one. Throws where the vault refuses. */
export async function probeVault(vault: Vault, clock: Clock): Promise<VaultProbe> {
  const name = `${PROBE_PREFIX}${clock.uuid()}`;
  await removeStale(vault, clock.now());
  try {
    const broken: string[] = [];
    const beganAtMs = clock.now();
    const won = await race(vault, name);
    const clockMs = (beganAtMs + clock.now()) / 2;
    if (won !== 1) broken.push(`of two that wrote the same object at once ${won} succeeded`);
    if (await createProbe(vault, name)) broken.push('an object that was there was overwritten');
    const info = await vault.stat(name);
    if (info?.sizeBytes !== CONTENT.length) broken.push('an object that was written is not there whole');
    if (!(await reads(vault, name))) broken.push('what was read is not what was written');
    if (!(await lists(vault, name))) broken.push('a listing does not show what was written');
    await vault.removeObject(name);
    if ((await vault.stat(name)) !== null) broken.push('an object that was removed is still there');
    const clockAheadMs = Math.round((info?.modifiedAtMs ?? clockMs) - clockMs);
    return { clockAheadMs, freeBytes: await vault.freeBytes(), broken };
  } finally {
    await cleanUp(vault, name);
  }
}

/** How many of two that write the same object succeed. Waits for both: what is still being written could not be removed. */
async function race(vault: Vault, name: string): Promise<number> {
  const tries = await Promise.allSettled([createProbe(vault, name), createProbe(vault, name)]);
  const failure = tries.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  return tries.filter((result) => result.status === 'fulfilled' && result.value).length;
}

/** False when the name is taken. */
async function createProbe(vault: Vault, name: string): Promise<boolean> {
  try {
    const writer = await vault.createObject(name);
    try {
      await writer.write(CONTENT);
      await writer.commit();
    } catch (error) {
      await writer.abort();
      throw error;
    }
    return true;
  } catch (error) {
    if (isBackupError(error, 'vault_object_exists')) return false;
    throw error;
  }
}

async function reads(vault: Vault, name: string): Promise<boolean> {
  try {
    const found = await vault.readRange(name, 0, CONTENT.length);
    return found.every((byte, i) => byte === CONTENT[i]);
  } catch (error) {
    if (isBackupError(error, 'damaged', 'vault_object_missing')) return false;
    throw error;
  }
}

async function lists(vault: Vault, name: string): Promise<boolean> {
  for await (const object of vault.list(PROBE_PREFIX)) if (object.name === name) return true;
  return false;
}

async function removeStale(vault: Vault, nowMs: number): Promise<void> {
  const stale: string[] = [];
  for await (const { name, modifiedAtMs } of vault.list(PROBE_PREFIX)) {
    if (nowMs - modifiedAtMs > STALE_MS) stale.push(name);
  }
  for (const name of stale) await vault.removeObject(name);
  await vault.removeLeftovers(PROBE_PREFIX);
}

/** The failure that led here says more than one of the cleaning. */
async function cleanUp(vault: Vault, name: string): Promise<void> {
  try {
    await vault.removeObject(name);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
  }
}
