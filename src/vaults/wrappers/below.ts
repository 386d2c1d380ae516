import { BackupError } from '../../core/errors.ts';
import type { ObjectInfo, Vault } from '../../core/vault.ts';
import { passOn } from './pass.ts';

/**
 * A folder of a vault as a vault of its own: what is written there, no backup or log of the vault itself shows. `prefix` ends with a
 * slash. Threads do not see it: they open the vault by its address.
 */
export function vaultBelow(inner: Vault, prefix: string): Vault {
  return passOn(inner, {
    open: async () => {},
    createObject: (name) => inner.createObject(prefix + name),
    readRange: (name, offset, length) => inner.readRange(prefix + name, offset, length),
    stat: async (name) => shorten(await inner.stat(prefix + name), prefix),
    list: (wanted) => listBelow(inner, prefix, wanted),
    copyObject: (from, to) => inner.copyObject(prefix + from, prefix + to),
    removeObject: (name) => inner.removeObject(prefix + name),
    removeLeftovers: (wanted) => inner.removeLeftovers(prefix + wanted),
    // Names differ on both sides.
    copyFrom: async () => false,
    recall: (name) => inner.recall(prefix + name),
    setLegalHold: (name, isHeld) => inner.setLegalHold(prefix + name, isHeld),
    close: async () => {},
  });
}

function shorten(info: ObjectInfo | null, prefix: string): ObjectInfo | null {
  return info === null ? null : { ...info, name: info.name.slice(prefix.length) };
}

async function* listBelow(inner: Vault, prefix: string, wanted: string): AsyncGenerator<ObjectInfo> {
  for await (const info of inner.list(prefix + wanted)) yield shorten(info, prefix)!;
}

/** Removes all that lies in a folder of a vault. Gives how many objects a vault with locks keeps until these end. */
export async function clearBelow(vault: Vault, prefix: string): Promise<number> {
  const names: string[] = [];
  for await (const { name } of vault.list(prefix)) names.push(name);
  let kept = 0;
  for (const name of names) {
    try {
      await vault.removeObject(name);
    } catch (error) {
      if (!(error instanceof BackupError) || error.code !== 'vault_refused') throw error;
      kept += 1;
    }
  }
  return kept;
}
