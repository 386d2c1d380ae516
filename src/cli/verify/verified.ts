import { isBackupError } from '../../core/errors.ts';
import type { Vault } from '../../core/vault.ts';
import { readVerified } from '../../format/verified-record.ts';
import { foldVerified, type VerifiedMemory } from '../../policy/verified-memory.ts';

/** What a vault remembers of verifications; nothing where it does not let this user look, since it is a hint and no more. */
export async function readMemory(vault: Vault, nowMs: number): Promise<VerifiedMemory> {
  try {
    return await requireMemory(vault, nowMs);
  } catch (error) {
    if (isBackupError(error, 'vault_refused')) return new Map();
    throw error;
  }
}

/** The same for who must tell "never verified" from "nobody may look". Throws as the vault does. */
export async function requireMemory(vault: Vault, nowMs: number): Promise<VerifiedMemory> {
  const records = await readVerified(vault);
  return foldVerified(
    records.flatMap(({ record }) => record?.units ?? []),
    nowMs,
  );
}
