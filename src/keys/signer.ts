import crypto from 'node:crypto';
import { BackupError } from '../core/errors.ts';
import type { Signer } from '../core/key-ring.ts';

const MEMORY_KEY = 'eventcore memory key 1';
const KEY_BYTES = 32;

/** A signer by its private key: Ed25519, PKCS#8 in PEM. Throws `key_refused`, which never shows anything of it. */
export function makeSigner(pem: Buffer, source: string): Signer {
  const key = readPrivateKey(pem, source);
  const { x, d } = key.export({ format: 'jwk' });
  const seed = Buffer.from(d!, 'base64url');
  return {
    name: `ed25519:${x}`,
    sign: (message) => crypto.sign(null, message, key),
    memoryKey: Buffer.from(crypto.hkdfSync('sha256', seed, Buffer.alloc(0), MEMORY_KEY, KEY_BYTES)),
  };
}

function readPrivateKey(pem: Buffer, source: string): crypto.KeyObject {
  let key: crypto.KeyObject;
  try {
    key = crypto.createPrivateKey({ key: pem, format: 'pem' });
  } catch {
    // The library's own message may hold what was given.
    const isLocked = pem.includes('ENCRYPTED');
    throw refused(`${source} is ${isLocked ? 'a private key with a passphrase' : 'no private key in PEM'}`);
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw refused(`${source} is a key of the kind ${key.asymmetricKeyType ?? 'unknown'}, not ed25519`);
}

function refused(message: string): BackupError {
  return new BackupError('key_refused', message, {
    hint: '`eventcore keys generate --sign` and `openssl genpkey -algorithm ed25519` write one',
  });
}

/** A new signing key as a file, and the name that its signatures bear. */
export function makeSigningKeyFile(): { signer: string; text: string } {
  const { privateKey } = crypto.generateKeyPairSync('ed25519');
  const text = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  return { signer: makeSigner(Buffer.from(text), 'the new key').name, text };
}
