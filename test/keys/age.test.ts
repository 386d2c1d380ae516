import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { describe, it } from 'node:test';
import { Decrypter, Encrypter } from 'age-encryption';
import { isBackupError } from '../../src/core/errors.ts';
import { ageIdentity, ageRecipient, generateAgeIdentity, isAgeRecipient } from '../../src/keys/age.ts';
import { passphraseIdentity, passphraseRecipient } from '../../src/keys/passphrase.ts';
import { makeKeyRing } from '../../src/keys/ring.ts';
import { keyRingContract } from '../../src/testing/key-ring-contract.ts';

const KEY = crypto.randomBytes(32);
const KEY_ID = 'f'.repeat(32);
/** So that a guess takes no time. */
const QUICK = 4;

for (const hybrid of [false, true]) {
  const [owner, stranger] = await Promise.all([generateAgeIdentity(hybrid), generateAgeIdentity(hybrid)]);
  keyRingContract({
    name: hybrid ? 'of age, hybrid' : 'of age, X25519',
    owner: async () => makeKeyRing([ageRecipient(owner.recipient)], [(await ageIdentity(owner.secret))!]),
    sealer: async () => makeKeyRing([ageRecipient(owner.recipient)], []),
    stranger: async () =>
      makeKeyRing([ageRecipient(stranger.recipient)], [(await ageIdentity(stranger.secret))!]),
  });
}

keyRingContract({
  name: 'of a passphrase',
  owner: async () =>
    makeKeyRing([passphraseRecipient('seven dice', QUICK)], [passphraseIdentity('seven dice')]),
  sealer: null,
  stranger: async () => makeKeyRing([passphraseRecipient('other', QUICK)], [passphraseIdentity('other')]),
});

describe('what is wrapped for age', () => {
  it('opens with age itself, by an identity', async () => {
    const { secret, recipient } = await generateAgeIdentity(false);
    const wrapped = await ageRecipient(recipient).wrap(KEY, KEY_ID);
    const decrypter = new Decrypter();
    decrypter.addIdentity(secret);
    assert.deepEqual(Buffer.from(await decrypter.decrypt(Buffer.from(wrapped, 'base64'))), KEY);
  });

  it('opens with age itself, by a passphrase, and the other way round', async () => {
    const wrapped = await passphraseRecipient('pläin words', 10).wrap(KEY, KEY_ID);
    const decrypter = new Decrypter();
    decrypter.addPassphrase('pläin words');
    assert.deepEqual(Buffer.from(await decrypter.decrypt(Buffer.from(wrapped, 'base64'))), KEY);
    const encrypter = new Encrypter();
    encrypter.setPassphrase('pläin words');
    encrypter.setScryptWorkFactor(10);
    const theirs = Buffer.from(await encrypter.encrypt(KEY)).toString('base64');
    const key = { kind: 'passphrase', recipient: 'passphrase', wrapped: theirs };
    assert.deepEqual(Buffer.from((await passphraseIdentity('pläin words').unwrap(key, KEY_ID))!), KEY);
  });

  it('costs a guess of a passphrase 2^18 rounds', async () => {
    const wrapped = Buffer.from(await passphraseRecipient('x').wrap(KEY, KEY_ID), 'base64').toString(
      'latin1',
    );
    assert.match(wrapped, /^-> scrypt \S{22} 18$/m);
  });

  it('may not demand more work of its reader than we do', async () => {
    const encrypter = new Encrypter();
    encrypter.setPassphrase('x');
    encrypter.setScryptWorkFactor(8);
    const file = Buffer.from(await encrypter.encrypt(KEY)).toString('latin1');
    for (const factor of ['19', '20', '63', '99', '0', '08', '1e1', '-1']) {
      const wrapped = Buffer.from(file.replace(/^(-> scrypt \S+) 8$/m, `$1 ${factor}`), 'latin1').toString(
        'base64',
      );
      const begun = performance.now();
      const key = { kind: 'passphrase', recipient: 'passphrase', wrapped };
      assert.equal(await passphraseIdentity('x').unwrap(key, KEY_ID), null);
      assert.ok(performance.now() - begun < 1000, factor);
    }
  });
});

describe('a recipient of age', () => {
  it('is told from what belongs to plugins, other tools and secrets', async () => {
    const { recipient, secret } = await generateAgeIdentity(true);
    assert.equal(isAgeRecipient(recipient), true);
    for (const text of [
      secret,
      recipient.toUpperCase(),
      'age1yubikey1qwt50d',
      'age1tag1qqq',
      'ssh-ed25519 AAAA',
      'age',
      '',
    ]) {
      assert.equal(isAgeRecipient(text), false, text);
    }
  });

  it('that is mistyped is refused before anything is sealed', async () => {
    const { recipient } = await generateAgeIdentity(false);
    const last = recipient.at(-1) === 'q' ? 'p' : 'q';
    for (const text of [recipient.slice(0, -1), `${recipient.slice(0, -1)}${last}`, 'age1', 'age1pq1qqqq']) {
      assert.throws(
        () => ageRecipient(text),
        (error) => isBackupError(error, 'usage'),
        text,
      );
    }
  });
});
