import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { describe, it } from 'node:test';
import { BackupError, type ErrorCode, isBackupError } from '../../src/core/errors.ts';
import type { KeyRing, WrappedKey } from '../../src/core/key-ring.ts';
import { exportSealKey, makeSealKey, sealKeyId } from '../../src/format/seal.ts';
import { ageIdentity, ageRecipient, generateAgeIdentity } from '../../src/keys/age.ts';
import { makeIdentityFile, parseIdentities } from '../../src/keys/identity-file.ts';
import { passphraseIdentity, passphraseRecipient } from '../../src/keys/passphrase.ts';
import { makeKeyRing } from '../../src/keys/ring.ts';
import { makeSigner, makeSigningKeyFile } from '../../src/keys/signer.ts';

const SEAL_KEY = makeSealKey();
const KEY = exportSealKey(SEAL_KEY);
const ID = sealKeyId(SEAL_KEY);
const QUICK = 4;

const ada = await generateAgeIdentity(false);
const ben = await generateAgeIdentity(true);
const cleo = await generateAgeIdentity(false);
const sealing = makeKeyRing(
  [ageRecipient(ada.recipient), ageRecipient(ben.recipient), passphraseRecipient('five words', QUICK)],
  [],
);
const openedBy = async (...secrets: string[]): Promise<KeyRing> =>
  makeKeyRing([], await Promise.all(secrets.map(async (secret) => (await ageIdentity(secret))!)));

describe('a ring of several recipients', () => {
  it('opens for each of them alone, and for whoever has more keys than that', async () => {
    const wrapped = await sealing.wrap(KEY, ID);
    assert.deepEqual(sealing.recipients, [ada.recipient, ben.recipient, 'passphrase']);
    assert.deepEqual(
      wrapped.map(({ kind }) => kind),
      ['age', 'age', 'passphrase'],
    );
    for (const ring of [
      await openedBy(ada.secret),
      await openedBy(ben.secret),
      makeKeyRing([], [passphraseIdentity('five words')]),
      await openedBy(cleo.secret, ben.secret),
    ]) {
      assert.deepEqual(new Uint8Array(await ring.unwrap(wrapped, ID)), new Uint8Array(KEY));
    }
  });

  it('names a recipient once, however often it was given', () => {
    const twice = makeKeyRing([ageRecipient(ada.recipient), ageRecipient(ada.recipient)], []);
    assert.deepEqual(twice.recipients, [ada.recipient]);
  });

  const fails = async (
    ring: KeyRing,
    keys: WrappedKey[],
    code: ErrorCode,
    message: RegExp,
  ): Promise<void> => {
    await assert.rejects(ring.unwrap(keys, ID), (error) => {
      assert.ok(isBackupError(error, code), String(error));
      assert.match(error.message, message);
      return error.hint !== null;
    });
  };

  it('says for whom it is sealed when no identity is given', async () => {
    const wrapped = await sealing.wrap(KEY, ID);
    await fails(
      sealing,
      wrapped,
      'key_missing',
      new RegExp(`${ada.recipient}.*passphrase, and no identity is given`),
    );
  });

  it('says for whom it is sealed when none fits', async () => {
    const wrapped = await sealing.wrap(KEY, ID);
    const other = await openedBy(cleo.secret, (await generateAgeIdentity(false)).secret);
    await fails(
      other,
      wrapped,
      'key_wrong',
      new RegExp(`none of 2 identities fits: it is sealed for ${ada.recipient}, age1pq1.*…`),
    );
    await fails(await openedBy(cleo.secret), wrapped, 'key_wrong', /the identity that is given does not fit/);
  });

  it('says that a passphrase is another', async () => {
    const ring = makeKeyRing([], [passphraseIdentity('four words')]);
    await fails(ring, await sealing.wrap(KEY, ID), 'key_wrong', /does not open/);
    await assert.rejects(ring.unwrap(await sealing.wrap(KEY, ID), ID), (error) =>
      /^the passphrase is another/.test((error as BackupError).hint!),
    );
  });

  it('takes another identity where one cannot be asked, and says so only when none fits', async () => {
    const refusal = new BackupError('key_unreachable', 'not now');
    const away = { kind: 'age', name: 'away', unwrap: () => Promise.reject(refusal) };
    const wrapped = await sealing.wrap(KEY, ID);
    const ring = makeKeyRing([], [away, (await ageIdentity(ada.secret))!]);
    assert.deepEqual(new Uint8Array(await ring.unwrap(wrapped, ID)), new Uint8Array(KEY));
    await assert.rejects(
      makeKeyRing([], [away, (await ageIdentity(cleo.secret))!]).unwrap(wrapped, ID),
      refusal,
    );
  });
});

describe('a file of identities', () => {
  it('as it is made holds one, and its recipient in a comment', async () => {
    const { recipient, text } = await makeIdentityFile(false, '2026-01-02T03:04:05.000Z');
    assert.match(text, /^# created: 2026-01-02T03:04:05.000Z\n# public key: age1\S+\nAGE-SECRET-KEY-1\S+\n$/);
    assert.deepEqual(
      (await parseIdentities(text, 'x')).map(({ name }) => name),
      [recipient],
    );
    assert.match((await makeIdentityFile(true, 'now')).text, /\nAGE-SECRET-KEY-PQ-1\S+\n$/);
  });

  it('may hold several, comments, empty lines and line ends of Windows', async () => {
    const text = `# mine\r\n${ada.secret}\r\n\r\n  ${ben.secret}  \n`;
    assert.deepEqual(
      (await parseIdentities(text, 'x')).map(({ name }) => name),
      [ada.recipient, ben.recipient],
    );
  });

  const lines: [string, string, RegExp, RegExp][] = [
    ['nothing', '# only a comment\n', /there is no identity in key\.txt/, /AGE-SECRET-KEY/],
    [
      'a recipient',
      `\n${ada.recipient}\n`,
      /line 2 of key\.txt is no identity/,
      /a recipient, which only seals/,
    ],
    [
      'a mistyped identity',
      `${ada.secret.slice(0, -1)}${ada.secret.endsWith('Z') ? 'Q' : 'Z'}`,
      /line 1 of key\.txt/,
      /AGE-SECRET-KEY/,
    ],
    ['an encrypted identity', 'age-encryption.org/v1\n', /line 1/, /itself encrypted/],
    ['too many', `${ada.secret}\n`.repeat(101), /more than 100 identities/, /./],
  ];
  for (const [what, text, message, hint] of lines) {
    it(`that holds ${what} is refused, and no line of it is shown`, async () => {
      await assert.rejects(
        parseIdentities(text, 'key.txt'),
        (error) =>
          isBackupError(error, 'key_refused') &&
          message.test(error.message) &&
          hint.test(error.hint ?? '') &&
          !`${error.message}${error.hint}${error.stack}`.includes(ada.secret.slice(16, 40)),
      );
    });
  }
});

describe('a signer', () => {
  it('has a name that is its public key, and signs so that the name proves it', () => {
    const { signer: name, text } = makeSigningKeyFile();
    const signer = makeSigner(Buffer.from(text), 'x');
    assert.equal(signer.name, name);
    assert.match(name, /^ed25519:[A-Za-z0-9_-]{43}$/);
    const x = name.slice('ed25519:'.length);
    const key = crypto.createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    assert.equal(crypto.verify(null, Buffer.from('text'), key, signer.sign(Buffer.from('text'))), true);
    assert.equal(crypto.verify(null, Buffer.from('texts'), key, signer.sign(Buffer.from('text'))), false);
  });

  it('has the memory key that the format says, the same in each run', () => {
    // The key of RFC 8032, 7.1, test 1; the memory key was made with HKDF (RFC 5869) written out, below.
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
    const pem = `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`;
    const signer = makeSigner(Buffer.from(pem), 'x');
    assert.equal(signer.name, 'ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo');
    const hmac = (key: Buffer, text: Buffer): Buffer =>
      crypto.createHmac('sha256', key).update(text).digest();
    const extracted = hmac(Buffer.alloc(32), seed);
    assert.deepEqual(
      Buffer.from(signer.memoryKey),
      hmac(extracted, Buffer.from('eventcore memory key 1\u0001')),
    );
  });

  it('of another kind, with a passphrase or no key at all is refused', () => {
    const pem = (type: 'x25519' | 'ed25519', options = {}) => {
      const { privateKey } =
        type === 'x25519' ? crypto.generateKeyPairSync('x25519') : crypto.generateKeyPairSync('ed25519');
      return privateKey.export({
        format: 'pem',
        type: 'pkcs8',
        ...options,
      } as crypto.KeyExportOptions<'pem'>);
    };
    for (const [text, message] of [
      [pem('x25519'), /x is a key of the kind x25519, not ed25519/],
      [pem('ed25519', { cipher: 'aes-256-cbc', passphrase: 'p' }), /x is a private key with a passphrase/],
      ['s3cr3t', /x is no private key in PEM/],
    ] as const) {
      assert.throws(
        () => makeSigner(Buffer.from(text), 'x'),
        (error) =>
          isBackupError(error, 'key_refused') &&
          message.test(error.message) &&
          !error.message.includes('s3cr3t'),
      );
    }
  });
});
