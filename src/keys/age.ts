import {
  Decrypter,
  Encrypter,
  generateHybridIdentity,
  generateX25519Identity,
  identityToRecipient,
} from 'age-encryption';
import { BackupError } from '../core/errors.ts';
import { shortenRecipient } from '../core/recipient-text.ts';
import { decodeWrapped } from './age-file.ts';
import type { Identity, Recipient } from './recipient.ts';

/** Recipients of age (age-encryption.org/v1): X25519 (`age1…`) and the hybrid kind (`age1pq1…`). */
export const AGE_KIND = 'age';

/** Others that begin like these belong to plugins and hardware, whose identities are not here. */
const RECIPIENT = /^age1(?:pq1)?[02-9ac-hj-np-z]+$/;
const PLUGIN = /^age1(?!pq1)[a-z0-9]*1/;

export function isAgeRecipient(text: string): boolean {
  return RECIPIENT.test(text) && !PLUGIN.test(text);
}

/** Throws `usage` when it is mistyped. */
export function ageRecipient(text: string): Recipient {
  requireSound(text);
  return { kind: AGE_KIND, name: text, wrap: (key) => wrapForAge(text, key) };
}

function requireSound(text: string): void {
  try {
    new Encrypter().addRecipient(text);
  } catch {
    // The library's own message may hold what was given.
    throw new BackupError(
      'usage',
      `${shortenRecipient(text)} is no recipient of age: it is mistyped or cut off`,
      {
        hint: 'copy it whole from the comment in the identity file, or from `age-keygen -y FILE`',
      },
    );
  }
}

async function wrapForAge(recipient: string, key: Uint8Array): Promise<string> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return Buffer.from(await encrypter.encrypt(key)).toString('base64');
}

/** An identity by its secret text (`AGE-SECRET-KEY-1…`, `AGE-SECRET-KEY-PQ-1…`). Null when it is none. */
export async function ageIdentity(secret: string): Promise<Identity | null> {
  let name: string;
  try {
    name = await identityToRecipient(secret);
  } catch {
    return null;
  }
  return {
    ...{ kind: AGE_KIND, name },
    unwrap: async ({ wrapped }) => {
      const decrypter = new Decrypter();
      decrypter.addIdentity(secret);
      return openAgeFile(decrypter, wrapped);
    },
  };
}

/** Null for what does not fit, and for bytes that are no age file. */
export async function openAgeFile(decrypter: Decrypter, wrapped: string): Promise<Uint8Array | null> {
  const file = decodeWrapped(wrapped);
  if (file === null) return null;
  try {
    return await decrypter.decrypt(file);
  } catch {
    return null;
  }
}

export interface NewIdentity {
  readonly secret: string;
  readonly recipient: string;
}

export async function generateAgeIdentity(hybrid: boolean): Promise<NewIdentity> {
  const secret = await (hybrid ? generateHybridIdentity() : generateX25519Identity());
  return { secret, recipient: await identityToRecipient(secret) };
}
