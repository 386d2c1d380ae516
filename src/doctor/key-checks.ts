import { isBackupError } from '../core/errors.ts';
import { whyNotTrusted } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import type { Catalog } from '../format/catalog.ts';
import { type Chain, followChain, isBroken } from '../format/chain.ts';
import { findSignature, openChain, type ReadKeys } from '../format/open-bundle.ts';
import { bad, type Check, failed, good, skipped, warn } from './check.ts';

const NAME = 'keys';

/** Whether what is here opens the newest backup, and whether it is signed as it should be. */
export async function checkKeys(vault: Vault, catalog: Catalog, keys: ReadKeys): Promise<Check> {
  const newest = catalog.backups.at(-1);
  const chain = newest === undefined ? null : followChain(catalog, newest);
  if (chain === null || isBroken(chain)) return skipped(NAME, 'there is no backup to try them on');
  const untrusted = findUntrusted(chain, keys);
  if (untrusted !== null) return bad(NAME, 'signature_invalid', untrusted, TRUST_HINT);
  const isSealed = chain.some(({ manifest }) => manifest.sealed);
  if (!isSealed && keys.ring.recipients.length > 0) {
    return warn(
      NAME,
      'recipients are named, and the newest backup is not sealed',
      '`eventcore backup full` makes one that is',
    );
  }
  if (!isSealed) return skipped(NAME, 'the newest backup is not sealed');
  if (!keys.ring.canOpen) {
    const message = 'the newest backup is sealed, and no identity is given: whether it opens was not tried';
    return skipped(
      NAME,
      message,
      'try it now and then from where the identity is kept: `eventcore doctor --identity FILE`',
    );
  }
  try {
    await openChain(vault, chain, keys, 'all');
    return good(NAME, 'the newest backup opens');
  } catch (error) {
    if (!isBackupError(error)) throw error;
    return failed(NAME, error);
  }
}

const TRUST_HINT =
  'use a backup that is signed by a known signer; `encryption.trusted_signers` in the configuration says who is';

function findUntrusted(chain: Chain, { trust }: ReadKeys): string | null {
  for (const { manifest } of chain) {
    const reason = whyNotTrusted(findSignature(manifest, trust), trust);
    if (reason !== null) return `backup ${manifest.backupId} is not to be trusted: ${reason}`;
  }
  return null;
}
