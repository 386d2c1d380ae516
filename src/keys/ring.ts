import { BackupError } from '../core/errors.ts';
import type { KeyRing, WrappedKey } from '../core/key-ring.ts';
import { shortenRecipient } from '../core/recipient-text.ts';
import { importSealKey, sealKeyId } from '../format/seal.ts';
import type { Identity, Recipient } from './recipient.ts';

/** A ring of several recipients and identities, of any kinds. */
export function makeKeyRing(recipients: readonly Recipient[], identities: readonly Identity[]): KeyRing {
  const own = uniqueByName(recipients);
  return {
    recipients: own.map(({ name }) => name),
    canOpen: identities.length > 0,
    wrap: async (dataKey, keyId) => {
      const wrapped: WrappedKey[] = [];
      for (const { kind, name, wrap } of own) {
        wrapped.push({ kind, recipient: name, wrapped: await wrap(dataKey, keyId) });
      }
      return wrapped;
    },
    unwrap: (keys, keyId) => unwrap(identities, keys, keyId),
  };
}

function uniqueByName(recipients: readonly Recipient[]): Recipient[] {
  return [...new Map(recipients.map((recipient) => [recipient.name, recipient])).values()];
}

async function unwrap(
  identities: readonly Identity[],
  keys: readonly WrappedKey[],
  keyId: string,
): Promise<Uint8Array> {
  if (identities.length === 0) throw noIdentity(keys, keyId);
  const failures: unknown[] = [];
  let foreign: Uint8Array | null = null;
  for (const { identity, wrapped } of attempts(identities, keys)) {
    const key = await attempt(identity, wrapped, keyId, failures);
    if (key !== null && isKey(key, keyId)) return key;
    foreign ??= key;
  }
  // Who asks compares the id once more, and says that the record holds another key.
  if (foreign !== null) return foreign;
  if (failures.length > 0) throw failures[0];
  throw noneFits(identities, keys, keyId);
}

interface Attempt {
  readonly identity: Identity;
  readonly wrapped: WrappedKey;
}

/** Those that bear the identity's name come first: the others cost time, and mostly do not fit. */
function attempts(identities: readonly Identity[], keys: readonly WrappedKey[]): Attempt[] {
  const all = identities.flatMap((identity) =>
    keys.filter(({ kind }) => kind === identity.kind).map((wrapped) => ({ identity, wrapped })),
  );
  const isNamed = ({ identity, wrapped }: Attempt): boolean => identity.name === wrapped.recipient;
  return [...all.filter(isNamed), ...all.filter((one) => !isNamed(one))].slice(0, MOST_ATTEMPTS);
}

/** Who may write into a vault may name thousands, and a passphrase takes some tenths of a second to try. */
const MOST_ATTEMPTS = 256;

/** An identity that cannot be asked now is no reason not to ask the others. */
async function attempt(
  identity: Identity,
  wrapped: WrappedKey,
  keyId: string,
  failures: unknown[],
): Promise<Uint8Array | null> {
  try {
    return await identity.unwrap(wrapped, keyId);
  } catch (error) {
    failures.push(error);
    return null;
  }
}

/** A record can be written by anybody who has a public key: with another key in it. */
function isKey(bytes: Uint8Array, keyId: string): boolean {
  return bytes.length === 32 && sealKeyId(importSealKey(bytes)) === keyId;
}

function noIdentity(keys: readonly WrappedKey[], keyId: string): BackupError {
  return new BackupError(
    'key_missing',
    `it is sealed for ${recipientNames(keys)}, and no identity is given`,
    {
      hint: 'pass --identity FILE or --passphrase-file FILE, or name them under `encryption:` in the configuration',
      facts: { keyId, recipients: recipientNames(keys) },
    },
  );
}

function noneFits(identities: readonly Identity[], keys: readonly WrappedKey[], keyId: string): BackupError {
  const names = recipientNames(keys);
  const isNamed = keys.some(({ recipient }) => identities.some(({ name }) => name === recipient));
  const [message, hint] = isNamed
    ? [
        `the key that is wrapped for ${names} does not open`,
        'the passphrase is another, or the key record is damaged: try the identity of another recipient, or another copy of the vault',
      ]
    : [
        `${identities.length === 1 ? 'the identity that is given does not fit' : `none of ${identities.length} identities fits`}: it is sealed for ${names}`,
        'give the identity of one of them; without any, nobody can open it',
      ];
  return new BackupError('key_wrong', message, { hint, facts: { keyId, recipients: names } });
}

function recipientNames(keys: readonly WrappedKey[]): string {
  const names = [...new Set(keys.map(({ recipient }) => shortenRecipient(recipient)))];
  return names.length === 0 ? 'nobody' : names.join(', ');
}
