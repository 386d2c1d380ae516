import type { ObjectInfo, Vault } from '../core/vault.ts';

/** What is kept of a vault, and up to which size of an object: a few megabytes, whatever is written there. */
const MOST_KEPT = 500;
const MOST_BYTES = 4096;

interface Kept<Record> {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly record: Record;
}

/** Gives what an object that is listed says. Null is what cannot be read, which is tried again. */
export type Recall<Record> = (
  vault: Vault,
  info: ObjectInfo,
  read: () => Promise<Record | null>,
) => Promise<Record | null>;

/**
 * A memory of records that are written once and asked for every few minutes for as long as a daemon runs: each is read from its vault once,
 * and again where another object has come to its name. It lasts as long as the vault is held.
 */
export function recordMemory<Record>(): Recall<Record> {
  const byVault = new WeakMap<Vault, Map<string, Kept<Record>>>();
  return async (vault, { name, sizeBytes, modifiedAtMs }, read) => {
    const kept = byVault.get(vault) ?? new Map<string, Kept<Record>>();
    byVault.set(vault, kept);
    const known = kept.get(name);
    if (known?.sizeBytes === sizeBytes && known.modifiedAtMs === modifiedAtMs) return known.record;
    const record = await read();
    kept.delete(name);
    if (record === null || sizeBytes > MOST_BYTES) return record;
    kept.set(name, { sizeBytes, modifiedAtMs, record });
    for (const oldest of kept.keys()) {
      if (kept.size <= MOST_KEPT) break;
      kept.delete(oldest);
    }
    return record;
  };
}
