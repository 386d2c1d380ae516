import { BackupError } from '../core/errors.ts';
import type { KeyRing, Signer } from '../core/key-ring.ts';
import { shortenRecipient } from '../core/recipient-text.ts';
import { ageRecipient, isAgeRecipient } from './age.ts';
import { isKmsKey, openKmsKey } from './aws-kms.ts';
import { parseIdentities } from './identity-file.ts';
import { passphraseIdentity, passphraseRecipient } from './passphrase.ts';
import type { Identity, Recipient } from './recipient.ts';
import { makeKeyRing } from './ring.ts';
import {
  type Environment,
  nameSource,
  parseSecretSource,
  readSecret,
  type SecretSource,
  trimLineEnd,
} from './secret.ts';
import { makeSigner } from './signer.ts';

/** What somebody has of keys, by name and place. */
export interface KeySources {
  /** `age1…`, `age1pq1…`, the ARN of a key of AWS KMS. */
  readonly recipients: readonly string[];
  readonly passphrase: SecretSource | null;
  /** An ARN: this host may ask KMS to open. */
  readonly identities: readonly (SecretSource | string)[];
  readonly signKey: SecretSource | null;
}

/**
 * Reads all secrets that are named, so that nothing fails after something was written. Throws `usage` for a recipient that
 * is of no known kind, `key_refused` for a secret that cannot be used.
 */
export async function openKeys(
  sources: KeySources,
  env: Environment,
): Promise<{ ring: KeyRing; signer: Signer | null }> {
  const recipients: Recipient[] = [];
  for (const name of sources.recipients) recipients.push(await openRecipient(name));
  const identities: Identity[] = [];
  for (const source of sources.identities) identities.push(...(await openIdentity(source, env)));
  if (sources.passphrase !== null) {
    const passphrase = await readPassphrase(sources.passphrase, env);
    recipients.push(passphraseRecipient(passphrase));
    identities.push(passphraseIdentity(passphrase));
  }
  const { signKey } = sources;
  const signer = signKey === null ? null : makeSigner(await readSecret(signKey, env), nameSource(signKey));
  return { ring: makeKeyRing(recipients, identities), signer };
}

async function openRecipient(name: string): Promise<Recipient> {
  if (isAgeRecipient(name)) return ageRecipient(name);
  if (isKmsKey(name)) return openKmsKey(name);
  if (/^AGE-SECRET-KEY-/i.test(name)) {
    throw new BackupError('usage', 'an identity stands where a recipient belongs', {
      hint: 'name its public half, age1…; take this identity as known to others by now, and make a new one',
    });
  }
  throw new BackupError('usage', `no recipient of a known kind: ${JSON.stringify(shortenRecipient(name))}`, {
    hint: 'a recipient is age1… (age), age1pq1… (age, hybrid) or arn:aws:kms:… (a key of AWS KMS); a passphrase is named by a file',
  });
}

async function openIdentity(source: SecretSource | string, env: Environment): Promise<Identity[]> {
  if (typeof source === 'string') return [await openKmsKey(source)];
  return parseIdentities((await readSecret(source, env)).toString('utf8'), nameSource(source));
}

async function readPassphrase(source: SecretSource, env: Environment): Promise<string> {
  const passphrase = trimLineEnd(await readSecret(source, env));
  if (passphrase !== '') return passphrase;
  throw new BackupError('key_refused', `${nameSource(source)} holds an empty passphrase`, {
    hint: 'a passphrase is one line; five words that dice chose are a good one',
  });
}

/** Where an identity is: a secret's place, or the ARN of a key of AWS KMS. Throws `usage`. */
export function parseIdentitySource(text: string, folder: string): SecretSource | string {
  return isKmsKey(text) ? text : parseSecretSource(text, folder);
}
