import type { Vault } from '../core/vault.ts';
import { readVerified } from '../format/verified-record.ts';
import { foldVerified, type VerifiedMemory } from '../policy/verified-memory.ts';

/** What a vault remembers of verifications. */
export async function readMemory(vault: Vault, nowMs: number): Promise<VerifiedMemory> {
  const records = await readVerified(vault);
  return foldVerified(
    records.flatMap(({ record }) => record?.units ?? []),
    nowMs,
  );
}
