import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { openKeys } from '../../src/keys/load.ts';
import { makeSigningKeyFile } from '../../src/keys/signer.ts';

describe('the keys of a library user', () => {
  it('are opened by where they are, and seal for others', async () => {
    const identity = await generateX25519Identity();
    const recipient = await identityToRecipient(identity);
    const { signer: name, text } = makeSigningKeyFile();
    const sources = {
      recipients: [recipient],
      passphrase: null,
      identities: [{ kind: 'env', value: 'IDENTITY' } as const],
      signKey: { kind: 'env', value: 'SIGN_KEY' } as const,
    };
    const { ring, signer } = await openKeys(sources, { IDENTITY: identity, SIGN_KEY: text });
    assert.deepEqual([ring.recipients, ring.canOpen, signer?.name], [[recipient], true, name]);
    const wrapped = await ring.wrap(new Uint8Array(32), 'x');
    assert.equal((await ring.unwrap(wrapped, 'x')).length, 32);
  });
});
