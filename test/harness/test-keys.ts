import crypto from 'node:crypto';
import { BackupError } from '../../src/core/errors.ts';
import type { KeyRing, Signer } from '../../src/core/key-ring.ts';
import { NO_TRUST_POLICY } from '../../src/core/trust.ts';
import type { ReadKeys } from '../../src/format/open-bundle.ts';

/** Somebody that backups can be sealed for: a key pair that takes no second to make, other than a passphrase's. */
export interface Person {
  readonly name: string;
  readonly publicKey: crypto.KeyObject;
  readonly privateKey: crypto.KeyObject;
}

export function makePerson(name: string): Person {
  return { name, ...crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }) };
}

/** A ring that seals for some, and opens as others. */
export function makeRing(recipients: readonly Person[], identities: readonly Person[] = []): KeyRing {
  return {
    recipients: recipients.map(({ name }) => name),
    canOpen: identities.length > 0,
    wrap: async (key) =>
      recipients.map(({ name, publicKey }) => ({
        ...{ kind: 'test', recipient: name },
        wrapped: crypto.publicEncrypt(publicKey, key).toString('base64'),
      })),
    unwrap: async (keys) => {
      if (identities.length === 0) throw new BackupError('key_missing', 'no identity is given');
      for (const { recipient, wrapped } of keys) {
        const one = identities.find(({ name }) => name === recipient);
        if (one !== undefined) return crypto.privateDecrypt(one.privateKey, Buffer.from(wrapped, 'base64'));
      }
      throw new BackupError('key_wrong', 'no identity fits');
    },
  };
}

/** Hides nothing and costs nothing: for tests of what lies around a wrapped key, which open it ten thousand times. */
export function makeOpenRing(): KeyRing {
  return {
    ...{ recipients: ['anyone'], canOpen: true },
    wrap: async (key) => [
      { kind: 'test', recipient: 'anyone', wrapped: Buffer.from(key).toString('base64') },
    ],
    unwrap: async ([key]) => Buffer.from(key!.wrapped, 'base64'),
  };
}

export function makeSigner(): Signer {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519');
  return {
    name: `ed25519:${publicKey.export({ format: 'jwk' }).x}`,
    sign: (message) => crypto.sign(null, message, privateKey),
    memoryKey: crypto.randomBytes(32),
  };
}

export function keysOf(ring: KeyRing, signer: Signer | null = null): ReadKeys {
  return { ring, signer, trust: NO_TRUST_POLICY };
}
