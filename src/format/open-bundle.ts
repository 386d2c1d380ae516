import { BackupError, isBackupError } from '../core/errors.ts';
import type { KeyRing, Signer } from '../core/key-ring.ts';
import type { Manifest } from '../core/manifest.ts';
import {
  judgeSignature,
  NO_TRUST_POLICY,
  type SignatureFinding,
  type TrustPolicy,
  whyNotTrusted,
} from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { type BundleKeys, canOpen } from './bundle-keys.ts';
import type { Chain, ChainMember } from './chain.ts';
import { readKeyRecords, unwrapKey } from './key-record.ts';
import { isSignatureValid, isTagValid } from './manifest-seal.ts';
import { importSealKey, sealKeyId } from './seal.ts';

/** What somebody has to open and judge what is in a vault. */
export interface ReadKeys {
  readonly ring: KeyRing;
  readonly signer: Signer | null;
  readonly trust: TrustPolicy;
}

/**
 * What must be readable: `all`; `heads`, which a host also remembers of its own backups; `nothing`, what opens is opened.
 */
export type OpenNeed = 'all' | 'heads' | 'nothing';

/**
 * Judges the signatures of a chain's backups and gets their keys, each once. Throws `signature_invalid` for a forged one and where the
 * policy wants another; `key_missing`, `key_wrong` or `key_refused` when what is needed does not open; `damaged` when a
 * manifest does not have its proof or a key record is gone.
 */
export async function openChain(
  vault: Vault,
  chain: Chain,
  keys: ReadKeys | null,
  need: OpenNeed,
): Promise<ChainMember[]> {
  const opened: ChainMember[] = [];
  for (const member of chain) opened.push(await openBundle(vault, member, keys, need));
  return opened;
}

export async function openBundle(
  vault: Vault,
  member: ChainMember,
  keys: ReadKeys | null,
  need: OpenNeed,
): Promise<ChainMember> {
  const { manifest } = member;
  if (need !== 'nothing') requireTrust(manifest, keys?.trust ?? null);
  if (manifest.sealing === undefined || keys === null || canOpen(member, 'events')) return member;
  const memory = memoryKeyOf(manifest, keys.signer);
  const data = await dataKeyOf(vault, member, keys, need === 'all' || (need === 'heads' && memory === null));
  if (need !== 'nothing' && data !== null && !isTagValid(manifest, data)) {
    throw new BackupError('damaged', `the manifest of backup ${manifest.backupId} is not as it was sealed`, {
      hint: 'somebody changed it; use another copy of the vault, or another backup',
      facts: { backupId: manifest.backupId },
    });
  }
  return { ...member, keys: { data, memory } };
}

function memoryKeyOf({ sealing }: Manifest, signer: Signer | null): BundleKeys['memory'] {
  if (signer === null) return null;
  const key = importSealKey(signer.memoryKey);
  return sealKeyId(key) === sealing?.memoryKeyId ? key : null;
}

async function dataKeyOf(
  vault: Vault,
  { folder, manifest }: ChainMember,
  { ring }: ReadKeys,
  isNeeded: boolean,
): Promise<BundleKeys['data']> {
  if (!ring.canOpen && !isNeeded) return null;
  const { keyId } = manifest.sealing!;
  try {
    const records = await readKeyRecords(vault, folder);
    return await unwrapKey(records.get(keyId), { keyId, scope: manifest.backupId }, ring);
  } catch (error) {
    // What is wrong with key records is for a verification to say.
    if (isNeeded || !isBackupError(error, 'key_missing', 'key_wrong', 'damaged')) throw error;
    return null;
  }
}

/** What the signature of a backup says. */
export function findSignature(manifest: Manifest, trust: TrustPolicy): SignatureFinding {
  return judgeSignature(manifest.signature, isSignatureValid(manifest), trust);
}

/** Throws `signature_invalid` where the policy wants another signature, or one at all. */
export function requireTrust(manifest: Manifest, trust: TrustPolicy | null): void {
  const policy = trust ?? NO_TRUST_POLICY;
  const reason = whyNotTrusted(findSignature(manifest, policy), policy);
  if (reason === null) return;
  const { backupId } = manifest;
  throw new BackupError('signature_invalid', `backup ${backupId} is not to be trusted: ${reason}`, {
    hint: 'use a backup that is signed by a known signer; `encryption.trusted_signers` in the configuration says who is',
    facts: { backupId },
  });
}
