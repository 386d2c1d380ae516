import type { Signer } from '../core/key-ring.ts';
import type { Manifest } from '../core/manifest.ts';
import type { BundleSeal } from './bundle-seal.ts';
import { keyedDigest, type SealKey } from './seal.ts';
import { isSignedBy, signText } from './signature.ts';

/** FORMAT.md §13.4 and §14: what holds a manifest against who may write into the vault. */
const PREFIX = 'eventcore manifest 1\n';

/** The manifest with its proofs: a tag when it is sealed, a signature when there is somebody to sign. */
export function sealManifest(manifest: Manifest, seal: BundleSeal | null, signer: Signer | null): Manifest {
  const sealed = seal === null ? manifest : tagged(manifest, seal);
  return signer === null ? sealed : { ...sealed, signature: signText(signer, signedText(sealed)) };
}

function tagged(manifest: Manifest, { data, sealing }: BundleSeal): Manifest {
  const sealed: Manifest = { ...manifest, sealed: true, sealing };
  return { ...sealed, tag: keyedDigest(data.key, taggedText(sealed)) };
}

/** Whether a sealed manifest is as who had its key wrote it. */
export function isTagValid(manifest: Manifest, key: SealKey): boolean {
  return manifest.tag === keyedDigest(key, taggedText(manifest));
}

/** Whether a signed manifest is as its signer wrote it. */
export function isSignatureValid(manifest: Manifest): boolean {
  return manifest.signature !== undefined && isSignedBy(manifest.signature, signedText(manifest));
}

function taggedText({ tag: _tag, signature: _signature, ...rest }: Manifest): string {
  return PREFIX + JSON.stringify(rest, null, 2);
}

function signedText({ signature: _signature, ...rest }: Manifest): string {
  return PREFIX + JSON.stringify(rest, null, 2);
}
