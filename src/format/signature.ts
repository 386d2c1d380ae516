import crypto from 'node:crypto';
import type { Signer } from '../core/key-ring.ts';
import type { ManifestSignature } from '../core/manifest.ts';

/** An Ed25519 signature (RFC 8032) and who made it. */
export type Signature = ManifestSignature;

const SIGNER_PREFIX = 'ed25519:';
const SIGNER = /^ed25519:[A-Za-z0-9_-]{43}$/;
const VALUE = /^[A-Za-z0-9+/]{86}==$/;

export function signText(signer: Signer, text: string): Signature {
  const value = Buffer.from(signer.sign(Buffer.from(text))).toString('base64');
  return { signer: signer.name, value };
}

/** There is one spelling of it: what a signature is in has a digest, and no signature holds the signature itself. */
export function isSignature(value: unknown): value is Signature {
  if (typeof value !== 'object' || value === null || Object.keys(value).join() !== 'signer,value')
    return false;
  const { signer, value: bytes } = value as Record<string, unknown>;
  if (typeof signer !== 'string' || typeof bytes !== 'string') return false;
  const name = signer.slice(SIGNER_PREFIX.length);
  return (
    SIGNER.test(signer) &&
    VALUE.test(bytes) &&
    Buffer.from(name, 'base64url').toString('base64url') === name &&
    Buffer.from(bytes, 'base64').toString('base64') === bytes
  );
}

/** Whether the signer that it names has signed this text. */
export function isSignedBy({ signer, value }: Signature, text: string): boolean {
  try {
    const x = signer.slice(SIGNER_PREFIX.length);
    const key = crypto.createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return crypto.verify(null, Buffer.from(text), key, Buffer.from(value, 'base64'));
  } catch {
    // Bytes that are no point of the curve are nobody's key.
    return false;
  }
}
