import crypto from 'node:crypto';
import { promisify } from 'node:util';
import * as age from 'age-encryption';
import { openAgeFile } from './age.ts';
import type { Identity, Recipient } from './recipient.ts';

/** A passphrase, as `age -p` uses it: scrypt, one stanza in an age file of its own. */
export const PASSPHRASE_KIND = 'passphrase';

/** 2^18 rounds: 256 MiB and some tenths of a second for each guess, as age itself takes. */
const WORK_FACTOR = 18;
/** What a record may demand of its reader; ours never demands more. */
const MAX_WORK_FACTOR = 18;

const LABEL = 'age-encryption.org/v1/scrypt';
const BLOCK_SIZE = 8;
const SALT_BYTES = 16;
const TAG_BYTES = 16;
const FILE_KEY_BYTES = 16;
const CIPHER = 'chacha20-poly1305';
const NONCE = Buffer.alloc(12);

const scrypt = promisify<crypto.BinaryLike, crypto.BinaryLike, number, crypto.ScryptOptions, Buffer>(
  crypto.scrypt,
);

export function passphraseRecipient(passphrase: string, workFactor = WORK_FACTOR): Recipient {
  return {
    ...{ kind: PASSPHRASE_KIND, name: PASSPHRASE_KIND },
    wrap: async (key) => {
      const encrypter = new age.Encrypter();
      encrypter.addRecipient({ wrapFileKey: (fileKey) => wrapFileKey(fileKey, passphrase, workFactor) });
      return Buffer.from(await encrypter.encrypt(key)).toString('base64');
    },
  };
}

export function passphraseIdentity(passphrase: string): Identity {
  return {
    ...{ kind: PASSPHRASE_KIND, name: PASSPHRASE_KIND },
    unwrap: async ({ wrapped }) => {
      const decrypter = new age.Decrypter();
      decrypter.addIdentity({ unwrapFileKey: (stanzas: age.Stanza[]) => unwrapFileKey(stanzas, passphrase) });
      return openAgeFile(decrypter, wrapped);
    },
  };
}

/** The library's own would hold up the event loop, and let a record demand 1 GiB. */
async function wrapFileKey(
  fileKey: Uint8Array,
  passphrase: string,
  workFactor: number,
): Promise<age.Stanza[]> {
  const salt = crypto.randomBytes(SALT_BYTES);
  const key = await stretch(passphrase, salt, workFactor);
  const cipher = crypto.createCipheriv(CIPHER, key, NONCE, { authTagLength: TAG_BYTES });
  const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
  return [new age.Stanza(['scrypt', unpadded(salt), String(workFactor)], body)];
}

async function unwrapFileKey(stanzas: age.Stanza[], passphrase: string): Promise<Uint8Array | null> {
  const [stanza] = stanzas;
  const [kind, saltText, factorText, ...rest] = stanza?.args ?? [];
  if (stanzas.length !== 1 || kind !== 'scrypt' || rest.length > 0) return null;
  const salt = Buffer.from(saltText ?? '', 'base64');
  const isPlain =
    salt.length === SALT_BYTES && unpadded(salt) === saltText && /^[1-9]\d?$/.test(factorText ?? '');
  const factor = Number(factorText);
  const body = stanza!.body;
  if (!isPlain || factor > MAX_WORK_FACTOR || body.length !== FILE_KEY_BYTES + TAG_BYTES) return null;
  const key = await stretch(passphrase, salt, factor);
  const decipher = crypto.createDecipheriv(CIPHER, key, NONCE, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(body.subarray(FILE_KEY_BYTES));
  const fileKey = decipher.update(body.subarray(0, FILE_KEY_BYTES));
  // Throws when the passphrase is another, which the caller takes for "does not fit".
  decipher.final();
  return fileKey;
}

function stretch(passphrase: string, salt: Buffer, workFactor: number): Promise<Buffer> {
  const cost = 2 ** workFactor;
  // What scrypt needs, and a little for its own use.
  const maxmem = 128 * cost * BLOCK_SIZE + (1 << 20);
  return scrypt(passphrase, Buffer.concat([Buffer.from(LABEL), salt]), 32, {
    cost,
    blockSize: BLOCK_SIZE,
    maxmem,
  });
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
