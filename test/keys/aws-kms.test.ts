import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import { isKmsKey, openKmsKey } from '../../src/keys/aws-kms.ts';
import { openKeys, parseIdentitySource } from '../../src/keys/open.ts';
import { makeKeyRing } from '../../src/keys/ring.ts';
import { keyRingContract } from '../../src/testing/key-ring-contract.ts';
import { type KmsMood, type KmsServer, startKmsServer } from '../harness/kms-server.ts';

const ARN = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const OTHER = 'arn:aws:kms:us-east-1:111122223333:alias/backups';
const KEY = new Uint8Array(32).fill(7);
const [ID, OTHER_ID] = ['a'.repeat(32), 'b'.repeat(32)];

/** The real client, against a server of this process. */
describe('AWS KMS', () => {
  let kms: KmsServer;
  before(async () => {
    kms = await startKmsServer();
    Object.assign(process.env, {
      ...{ AWS_ENDPOINT_URL_KMS: kms.url, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
      AWS_EC2_METADATA_DISABLED: 'true',
    });
  });
  after(() => kms.close());
  beforeEach(() => {
    kms.mood = 'well';
    kms.calls.length = 0;
  });

  const ringOf = async (arn: string) => {
    const key = await openKmsKey(arn);
    return makeKeyRing([key], [key]);
  };
  keyRingContract({
    name: 'of AWS KMS',
    owner: () => ringOf(ARN),
    sealer: async () => makeKeyRing([await openKmsKey(ARN)], []),
    stranger: () => ringOf(OTHER),
  });

  it('opens where its ARN is among the identities, and only seals where it is a recipient alone', async () => {
    const sources = { recipients: [ARN], passphrase: null, identities: [], signKey: null };
    const host = await openKeys(sources, {});
    const owner = await openKeys(
      { ...sources, recipients: [], identities: [parseIdentitySource(ARN, '/')] },
      {},
    );
    assert.deepEqual([host.ring.canOpen, owner.ring.canOpen], [false, true]);
    const wrapped = await host.ring.wrap(KEY, ID);
    assert.deepEqual(new Uint8Array(await owner.ring.unwrap(wrapped, ID)), KEY);
    assert.deepEqual(kms.calls, ['Encrypt', 'Decrypt']);
  });

  it('holds the name of the key, so that what it wrapped does not open under another', async () => {
    const key = await openKmsKey(ARN);
    const wrapped = { kind: 'aws-kms', recipient: ARN, wrapped: await key.wrap(KEY, ID) };
    assert.deepEqual(new Uint8Array((await key.unwrap(wrapped, ID))!), KEY);
    assert.equal(await key.unwrap(wrapped, OTHER_ID), null);
  });

  it('is not asked about what another of its keys wrapped', async () => {
    const key = await openKmsKey(ARN);
    const wrapped = { kind: 'aws-kms', recipient: OTHER, wrapped: 'AAAA' };
    assert.equal(await key.unwrap(wrapped, ID), null);
    assert.deepEqual(kms.calls, []);
  });

  const failures: [KmsMood, 'key_refused' | 'key_unreachable', RegExp][] = [
    ['AccessDeniedException', 'key_refused', /does not allow it: arn:aws:kms/],
    ['DisabledException', 'key_refused', /has the key disabled/],
    ['ThrottlingException', 'key_unreachable', /cannot be reached \(ThrottlingException\)/],
    ['silent', 'key_unreachable', /did not answer within 0.3 s/],
  ];
  for (const [mood, code, message] of failures) {
    it(`that is ${mood} fails with ${code}, wrapping and unwrapping`, async () => {
      kms.mood = mood;
      const key = await openKmsKey(ARN, mood === 'silent' ? { deadlineMs: 300 } : {});
      const isExpected = (error: unknown) => isBackupError(error, code) && message.test(error.message);
      await assert.rejects(key.wrap(KEY, ID), isExpected);
      const wrapped = { kind: 'aws-kms', recipient: ARN, wrapped: 'AAAA' };
      await assert.rejects(makeKeyRing([], [key]).unwrap([wrapped], ID), isExpected);
    });
  }

  it('that cannot be reached says so, and may be tried again', async () => {
    process.env.AWS_ENDPOINT_URL_KMS = 'http://127.0.0.1:1';
    try {
      await assert.rejects(
        (await openKmsKey(ARN)).wrap(KEY, ID),
        (error) => isBackupError(error, 'key_unreachable') && error.retryable,
      );
    } finally {
      process.env.AWS_ENDPOINT_URL_KMS = kms.url;
    }
  });

  it('whose client is not installed is a matter of installing it', async () => {
    const load = () => Promise.reject(new Error('no such package'));
    await assert.rejects(
      openKmsKey(ARN, { load }),
      (error) => isBackupError(error, 'usage') && error.hint === 'npm install @aws-sdk/client-kms',
    );
  });

  it('knows its keys by ARN, and only so', () => {
    for (const arn of [ARN, OTHER, ARN.replace('aws:', 'aws-us-gov:')])
      assert.equal(isKmsKey(arn), true, arn);
    for (const text of ['alias/backups', 'arn:aws:s3:::bucket', `${ARN} `, ARN.replace('1111', 'x')]) {
      assert.equal(isKmsKey(text), false, text);
    }
  });
});
