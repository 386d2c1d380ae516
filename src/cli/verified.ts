import { isBackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { readVerified } from '../format/verified-record.ts';
import { foldVerified, type VerifiedMemory } from '../policy/verified-memory.ts';

/** What a vault remembers of verifications; nothing where it does not let this user look, since it is a hint and no more. */
export async function readMemory(vault: Vault, nowMs: number): Promise<VerifiedMemory> {
  try {
    const records = await readVerified(vault);
    return foldVerified(
      records.flatMap(({ record }) => record?.units ?? []),
      nowMs,
    );
  } catch (error) {
    if (isBackupError(error, 'vault_refused')) return new Map();
    throw error;
  }
}
