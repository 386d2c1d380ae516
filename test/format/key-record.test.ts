import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { KeyRing, Signer } from '../../src/core/key-ring.ts';
import {
  decodeKeyRecord,
  encodeKeyRecord,
  isKeyRecordForged,
  keyRecordName,
  readKeyRecords,
  unwrapKey,
  writeNewKey,
} from '../../src/format/key-record.ts';
import { exportSealKey, makeSealKey, sealKeyId } from '../../src/format/seal.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';

const FOLDER = 'backups/full-backup-a0000000-0000-4000-8000-000000000001.eventcore/';
const about = { scope: 'a0000000', createdAt: '2026-11-24T00:00:00.000Z', software: 'test 1' };
const isDamaged = (error: unknown): boolean => isBackupError(error, 'damaged');

/** Not secret at all: what counts here is what lies around the wrapped bytes. */
function openRing(): KeyRing {
  return {
    recipients: ['anyone'],
    canOpen: true,
    wrap: async (key) => [{ kind: 'age', recipient: 'anyone', wrapped: Buffer.from(key).toString('base64') }],
    unwrap: async (keys) => Buffer.from(keys[0]!.wrapped, 'base64'),
  };
}

function makeSigner(): Signer {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519');
  const sign = (message: Uint8Array): Uint8Array => crypto.sign(null, message, privateKey);
  return { name: `ed25519:${publicKey.export({ format: 'jwk' }).x}`, sign, memoryKey: Buffer.alloc(32) };
}

test('a new key is found again by its records, the newest first', async () => {
  const vault = memoryVault();
  await vault.open({ create: true });
  const key = makeSealKey();
  const keyId = await writeNewKey(vault, key, openRing(), makeSigner(), { folder: FOLDER, ...about });
  const later = { keyId, number: 2, recipients: [], ...about };
  const object = await vault.createObject(FOLDER + keyRecordName(keyId, 2));
  await object.write(encodeKeyRecord(later, null));
  await object.commit();
  const records = (await readKeyRecords(vault, FOLDER)).get(keyId)!;
  assert.deepEqual(
    records.map(({ number }) => number),
    [2, 1],
  );
  assert.ok(!isKeyRecordForged(records[1]!));
  const opened = await unwrapKey(records, { keyId, scope: about.scope }, openRing());
  assert.deepEqual(exportSealKey(opened), exportSealKey(key));
});

test('every flipped byte of a record is found', () => {
  const wrapped = [{ kind: 'age', recipient: 'age1x', wrapped: 'AAAA' }];
  const record = { keyId: sealKeyId(makeSealKey()), number: 1, recipients: wrapped, ...about };
  const bytes = encodeKeyRecord(record, makeSigner());
  assert.deepEqual(encodeKeyRecord(decodeKeyRecord(bytes), null).length < bytes.length, true);
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    assert.throws(() => decodeKeyRecord(changed), isDamaged, `byte ${at}`);
  }
});

test('a record that was written anew by somebody else is a forgery', () => {
  const record = { keyId: sealKeyId(makeSealKey()), number: 1, recipients: [], ...about };
  const signed = decodeKeyRecord(encodeKeyRecord(record, makeSigner()));
  assert.ok(!isKeyRecordForged(signed));
  assert.ok(isKeyRecordForged({ ...signed, scope: 'other' }));
  const stolen = { ...signed.signature!, signer: makeSigner().name };
  assert.ok(isKeyRecordForged({ ...signed, signature: stolen }));
  assert.ok(isKeyRecordForged({ ...signed, signature: { ...stolen, signer: `ed25519:${'_'.repeat(43)}` } }));
});

test('a key that is not the one that is named is refused, and so is one of another place', async () => {
  const vault = memoryVault();
  await vault.open({ create: true });
  const keyId = await writeNewKey(vault, makeSealKey(), openRing(), null, { folder: FOLDER, ...about });
  const records = (await readKeyRecords(vault, FOLDER)).get(keyId)!;
  const foreign: KeyRing = { ...openRing(), unwrap: async () => crypto.randomBytes(32) };
  await assert.rejects(unwrapKey(records, { keyId, scope: about.scope }, foreign), /holds another key/);
  await assert.rejects(unwrapKey(records, { keyId, scope: 'elsewhere' }, openRing()), /is missing/);
  await assert.rejects(unwrapKey(undefined, { keyId, scope: about.scope }, openRing()), /is missing/);
});

test('a record of anything that makes no text is refused', () => {
  const odd = JSON.parse('{"toString":1,"valueOf":1}') as never;
  for (const change of [{ keyId: odd }, { number: odd }]) {
    const record = { keyId: sealKeyId(makeSealKey()), number: 1, recipients: [], ...about, ...change };
    assert.throws(() => decodeKeyRecord(encodeKeyRecord(record, null)), isDamaged);
  }
});
