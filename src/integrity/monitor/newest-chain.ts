import { isBackupError } from '../../core/errors.ts';
import type { Vault } from '../../core/vault.ts';
import { readCatalog } from '../../format/catalog.ts';
import { type Chain, type ChainMember, newestRestorePoint } from '../../format/chain.ts';
import { openBundle, type ReadKeys } from '../../format/open-bundle.ts';

/**
 * The newest chain that is whole, with what of it opens: a host with public keys alone has that of it which it remembers. Its signatures are
 * judged all the same: nothing is held against a backup that is not to be trusted, nor repaired with it. Throws `no_backups`,
 * `no_restore_point`, `signature_invalid`, `damaged`.
 */
export async function newestChain(vault: Vault, keys: ReadKeys | null): Promise<Chain> {
  const { chain } = newestRestorePoint(await readCatalog(vault), vault.address);
  const opened: ChainMember[] = [];
  for (const member of chain) opened.push(await openWhatOpens(vault, member, keys));
  return opened;
}

async function openWhatOpens(vault: Vault, member: ChainMember, keys: ReadKeys | null): Promise<ChainMember> {
  try {
    return await openBundle(vault, member, keys, 'heads');
  } catch (error) {
    if (!isBackupError(error, 'key_missing', 'key_wrong')) throw error;
    return openBundle(vault, member, keys, 'nothing');
  }
}
