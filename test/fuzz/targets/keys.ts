import { BackupError } from '../../../src/core/errors.ts';
import type { KeyRing } from '../../../src/core/key-ring.ts';
import { ageIdentity, ageRecipient, isAgeRecipient } from '../../../src/keys/age.ts';
import { parseIdentities } from '../../../src/keys/identity-file.ts';
import { passphraseIdentity } from '../../../src/keys/passphrase.ts';
import { makeKeyRing } from '../../../src/keys/ring.ts';
import { parseSecretSource } from '../../../src/keys/secret.ts';
import { makeSigner } from '../../../src/keys/signer.ts';
import { demand, type FuzzTarget, sameBytes } from '../engine/target.ts';

/** Opens nothing but what stands below. */
const SECRET = ['AGE-SECRET-KEY-1', 'FESK84X2ADJGEDSNPQA5NRZQ4CL0EZRY6UQWPTH44UE57ZEQ73XQS0UZ6H'].join('');
const RECIPIENT = 'age14hxwj3n58arp2gl6ju4txwhcvuk4udhgx7m274temxjzcg5fddeqlcxf5j';
const PASSPHRASE = 'kanarienvogel';

/** 32 bytes of nine, wrapped for the recipient and, with little work, for the passphrase. */
const WRAPPED = {
  age: 'YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBtUE1pMnZnWGtTdktCQno5QVBHMko5N3RINmVITWt6eVNMRDluRTRFSUVJClY3empaRUljOEQ2K0hiVmhYQ0xnT3R3OGxVVExiNnZkRUh0Z29mNkdtZ1EKLS0tIFFBUDA1NzFUYis1ZzIzWDkzakxhUFRjdDRaTkFLenRTZ3JhT0ZQNE5XV1kKjkf9DrCRZTjMJrTB0iRcCfPjdQoqh6GTfJsNz1I1lr/sfxEsy/L0GCyHxkWnm9FUEb2ak6d2s8p+0Uv0rP4P2A==',
  passphrase:
    'YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBuTWdxWWlFdUJ5QTlmR1gwMXl5RzlRIDIKV3NPVzB0NnVrOE5nQmM5eFZDUE1Ka0x1QXB5T0IyYXR2Ty95WUVXK1pqQQotLS0gTEExK1Iwa0o1c0w0RXN3NGdJdkhMVEthZE5PUHg0ZUtnY0p6Y1Bic0JuTQoMDmr+oUCcDf1UgazMos3wbBGll7RHWN9FuVZzQ2nnfGJK5XaM4o5/hwmVripPODUWto6dTYMKcqEyziYAWjNd',
};
const KEY = Buffer.alloc(32, 9);
/** scrypt takes time and memory by design, up to 2^18 rounds; here only what costs nothing is tried. */
const COSTLY = /scrypt \S+ (?:1[1-8])\n/;

let rings: Promise<Record<keyof typeof WRAPPED, KeyRing>> | null = null;

async function makeRings(): Promise<Record<keyof typeof WRAPPED, KeyRing>> {
  const age = (await ageIdentity(SECRET))!;
  return { age: makeKeyRing([], [age]), passphrase: makeKeyRing([], [passphraseIdentity(PASSPHRASE)]) };
}

function wrappedKey(kind: keyof typeof WRAPPED): FuzzTarget {
  return {
    name: `wrapped-key-${kind}`,
    refusals: ['key_wrong'],
    seeds: () => [Buffer.from(WRAPPED[kind], 'base64')],
    run: async (input) => {
      rings ??= makeRings();
      if (COSTLY.test(Buffer.from(input).toString('latin1'))) return false;
      const wrapped = Buffer.from(input).toString('base64');
      const key = await (await rings)[kind].unwrap([{ kind, recipient: 'x', wrapped }], 'a'.repeat(32));
      demand(sameBytes(key, KEY), 'what opens is what was wrapped');
      return true;
    },
  };
}

function refusedOr(codes: readonly string[], work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof BackupError) || !codes.includes(error.code)) throw error;
    const shown = `${error.message} ${error.hint}`;
    demand(!shown.includes(SECRET.slice(20, 40)), 'no secret is shown');
  }
}

const texts = (...all: readonly string[]): Uint8Array[] => all.map((text) => Buffer.from(text));

const keyTexts: FuzzTarget = {
  name: 'key-texts',
  refusals: ['key_refused'],
  seeds: () => texts(`# created: now\n# public key: ${RECIPIENT}\n${SECRET}\n`, SECRET),
  run: async (input) => {
    const text = Buffer.from(input).toString();
    if (isAgeRecipient(text)) refusedOr(['usage'], () => ageRecipient(text));
    refusedOr(['usage'], () => parseSecretSource(text, '/srv'));
    refusedOr(['key_refused'], () => makeSigner(Buffer.from(input), 'key.pem'));
    try {
      await parseIdentities(text, 'key.txt');
    } catch (error) {
      refusedOr(['key_refused'], () => {
        throw error;
      });
      throw error;
    }
  },
};

const recipients: FuzzTarget = {
  name: 'recipients',
  refusals: ['usage'],
  seeds: () => texts(RECIPIENT),
  run: (input) => {
    const text = Buffer.from(input).toString();
    if (!isAgeRecipient(text)) return false;
    ageRecipient(text);
    return true;
  },
};

export const KEY_TARGETS: readonly FuzzTarget[] = [
  ...[wrappedKey('age'), wrappedKey('passphrase')],
  ...[keyTexts, recipients],
];
