import type { Vault } from '../core/vault.ts';
import type { Writers } from '../core/writers.ts';
import { DRILLS_PREFIX } from '../format/drill-evidence.ts';
import { clearBelow } from '../vaults/wrappers/below.ts';

/** Where drills put backups of their test data: `drills/scratch/<process>-<uuid>/`. */
export const SCRATCH_PREFIX = `${DRILLS_PREFIX}scratch/`;

const SCRATCH = /^drills\/scratch\/(.+)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\//;
/** No drill lasts longer; a process of another machine cannot be asked. */
const ABANDONED_MS = 48 * 3_600_000;

/** Removes what killed drills left in the vault. Gives that in words. */
export async function removeDeadScratch(
  vault: Vault,
  { stateOf }: Writers,
  nowMs: number,
): Promise<string[]> {
  const folders = new Map<string, { owner: string; newestMs: number }>();
  for await (const { name, modifiedAtMs } of vault.list(SCRATCH_PREFIX)) {
    const match = SCRATCH.exec(name);
    if (match === null) continue;
    const known = folders.get(match[0])?.newestMs ?? 0;
    folders.set(match[0], { owner: match[1]!, newestMs: Math.max(known, modifiedAtMs) });
  }
  const removed: string[] = [];
  for (const [folder, { owner, newestMs }] of folders) {
    const state = stateOf(owner);
    if (state === 'alive' || (state === 'unknown' && nowMs - newestMs < ABANDONED_MS)) continue;
    // What a vault with locks keeps stays until these end, and is found again.
    if ((await clearBelow(vault, folder)) === 0) removed.push(`${folder} in the vault`);
  }
  // What was being written when its process died, of evidence too, no listing shows.
  const pieces = await vault.removeLeftovers(DRILLS_PREFIX);
  return pieces === 0 ? removed : [...removed, `${pieces} unfinished objects in the vault`];
}
