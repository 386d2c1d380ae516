import type { KMSClient } from '@aws-sdk/client-kms';
import { BackupError } from '../core/errors.ts';
import { decodeWrapped } from './age-file.ts';
import type { Identity, Recipient } from './recipient.ts';

/** Keys of AWS KMS, by their ARN. Where and as whom is asked, its client finds out as every tool of AWS does. */
export const KMS_KIND = 'aws-kms';

const ARN = /^arn:aws[a-z-]*:kms:([a-z0-9-]+):\d{12}:(?:key|alias)\/[A-Za-z0-9/_-]+$/;
const DEADLINE_MS = 20_000;

type KmsModule = typeof import('@aws-sdk/client-kms');

export interface KmsOptions {
  readonly deadlineMs?: number;
  readonly load?: () => Promise<KmsModule>;
}

export function isKmsKey(text: string): boolean {
  return ARN.test(text);
}

/** One client for each key, which wraps and unwraps with it. Throws `usage` when the client of KMS is not installed. */
export async function openKmsKey(arn: string, options: KmsOptions = {}): Promise<Recipient & Identity> {
  const kms = await loadKms(options.load ?? (() => import('@aws-sdk/client-kms')));
  const client = new kms.KMSClient({ region: ARN.exec(arn)![1]!, maxAttempts: 3 });
  const ask = <Answer>(send: (client: KMSClient, abortSignal: AbortSignal) => Promise<Answer>) =>
    askKms(arn, options.deadlineMs ?? DEADLINE_MS, (signal) => send(client, signal));
  return {
    ...{ kind: KMS_KIND, name: arn },
    wrap: async (key, keyId) => {
      const { CiphertextBlob } = await ask((on, abortSignal) =>
        on.send(new kms.EncryptCommand({ KeyId: arn, Plaintext: key, EncryptionContext: contextOf(keyId) }), {
          abortSignal,
        }),
      );
      if (CiphertextBlob === undefined) throw refused(arn, 'gave nothing back');
      return Buffer.from(CiphertextBlob).toString('base64');
    },
    unwrap: async ({ wrapped, recipient }, keyId) => {
      const CiphertextBlob = decodeWrapped(wrapped);
      // KMS would say no after a round trip, and count it.
      if (recipient !== arn || CiphertextBlob === null) return null;
      try {
        const { Plaintext } = await ask((on, abortSignal) =>
          on.send(
            new kms.DecryptCommand({ KeyId: arn, CiphertextBlob, EncryptionContext: contextOf(keyId) }),
            { abortSignal },
          ),
        );
        return Plaintext ?? null;
      } catch (error) {
        if (error instanceof DoesNotFit) return null;
        throw error;
      }
    },
  };
}

/** Binds what is wrapped to the key's name: it does not open under another. */
function contextOf(keyId: string): Record<string, string> {
  return { 'eventcore-key': keyId };
}

async function loadKms(load: () => Promise<KmsModule>): Promise<KmsModule> {
  try {
    return await load();
  } catch (cause) {
    throw new BackupError('usage', 'the client of AWS KMS is not installed', {
      hint: 'npm install @aws-sdk/client-kms',
      cause,
    });
  }
}

class DoesNotFit extends Error {}

/** What KMS answers to a text that it did not make with this key and this context. */
const NOT_FITTING = ['InvalidCiphertextException', 'IncorrectKeyException'];
const REFUSING: Readonly<Record<string, string>> = {
  AccessDeniedException: 'does not allow it',
  NotFoundException: 'does not know the key',
  DisabledException: 'has the key disabled',
  KMSInvalidStateException: 'has the key in a state in which it cannot be used',
  InvalidKeyUsageException: 'has the key for another use',
  UnrecognizedClientException: 'does not know who asks',
  InvalidSignatureException: 'does not know who asks',
  ExpiredTokenException: 'says that the credentials have expired',
  CredentialsProviderError: 'cannot be asked without credentials',
};

async function askKms<Answer>(
  arn: string,
  deadlineMs: number,
  send: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const signal = AbortSignal.timeout(deadlineMs);
  try {
    return await send(signal);
  } catch (cause) {
    const { name } = cause as Error;
    if (NOT_FITTING.includes(name)) throw new DoesNotFit();
    if (REFUSING[name] !== undefined) throw refused(arn, REFUSING[name], name);
    const reason = signal.aborted
      ? `did not answer within ${deadlineMs / 1000} s`
      : `cannot be reached (${name})`;
    throw new BackupError('key_unreachable', `AWS KMS ${reason}, for ${arn}`, {
      hint: 'check the network, AWS_ENDPOINT_URL_KMS and the limits of the account, then try again',
      facts: { recipient: arn, reason: name },
    });
  }
}

function refused(arn: string, reason: string, name: string | null = null): BackupError {
  return new BackupError('key_refused', `AWS KMS ${reason}: ${arn}`, {
    hint: 'sealing needs kms:Encrypt on the key, opening kms:Decrypt; credentials come from the environment as for every tool of AWS',
    facts: { recipient: arn, reason: name },
  });
}
