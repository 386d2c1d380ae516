import crypto from 'node:crypto';
import {
  decodeKeyRecord,
  encodeKeyRecord,
  isKeyRecordForged,
  parseKeyRecordName,
} from '../../../src/format/key-record.ts';
import { importSealKey, openPiece, SEAL_BYTES } from '../../../src/format/seal.ts';
import { isSignature, isSignedBy, signText } from '../../../src/format/signature.ts';
import { mutateJson } from '../engine/mutate-json.ts';
import { demand, type FuzzTarget, sameBytes } from '../engine/target.ts';
import { reshapeDocument } from './documents.ts';

/** Keys that are the same in every run. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const privateKey = crypto.createPrivateKey({
  key: Buffer.concat([PKCS8_HEAD, Buffer.alloc(32, 7)]),
  format: 'der',
  type: 'pkcs8',
});
const signer = {
  name: `ed25519:${crypto.createPublicKey(privateKey).export({ format: 'jwk' }).x}`,
  sign: (message: Uint8Array): Uint8Array => crypto.sign(null, message, privateKey),
  memoryKey: Buffer.alloc(32, 8),
};

const record = {
  keyId: '0123456789abcdef0123456789abcdef',
  number: 1,
  scope: '0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a',
  createdAt: '2026-11-23T04:05:06.789Z',
  software: 'eventcore-backup 0.1.0',
  recipients: [
    { kind: 'age', recipient: 'age1xyz', wrapped: 'AQID' },
    { kind: 'passphrase', recipient: 'passphrase', wrapped: '' },
  ],
};

const keyRecord: FuzzTarget = {
  name: 'key-record',
  refusals: ['damaged'],
  seeds: () => [encodeKeyRecord(record, null), encodeKeyRecord({ ...record, number: 7 }, signer)],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const read = decodeKeyRecord(input);
    isKeyRecordForged(read);
    demand(
      parseKeyRecordName(`key-${read.keyId}-${read.number}.json`)?.number === read.number,
      'one name a record',
    );
    if (read.signature === undefined)
      demand(sameBytes(encodeKeyRecord(read, null), input), 'it is written as it was');
  },
};

const SIGNED = 'what was signed';

const signatures: FuzzTarget = {
  name: 'signatures',
  refusals: [],
  seeds: () => [Buffer.from(JSON.stringify(signText(signer, SIGNED)))],
  reshape: (random, seed) => Buffer.from(mutateJson(random, Buffer.from(seed).toString(), 0)),
  run: (input) => {
    let value: unknown;
    try {
      value = JSON.parse(Buffer.from(input).toString());
    } catch {
      return false;
    }
    if (!isSignature(value) || !isSignedBy(value, SIGNED)) return false;
    const { value: expected } = signText(signer, SIGNED);
    demand(
      value.value === expected && value.signer === signer.name,
      'nobody else has signed, and in one spelling',
    );
    return true;
  },
};

const seal = { key: importSealKey(Buffer.alloc(32, 9)), scope: record.scope };
const place = { file: 'events-00001.columns.zst', number: 0, isLast: true };
const CONTENT = Buffer.from('{"n":1}\n'.repeat(4));

/** The content, and nothing, sealed once: a nonce is random. */
const pieces = [
  'xH6HLRE9PECKJEqcYmQeEr+QnbNRc6bVeek+IQbzgsk3o6+OA8I0mmc74bZP6b29reiNdcj1dScU90C5',
  'kOHp7P/EV4MNb5cmM2iZyc1l7jp/8LZTKcG96A==',
].map((text) => Buffer.from(text, 'base64'));

const sealedPiece: FuzzTarget = {
  name: 'sealed-piece',
  refusals: ['damaged'],
  seeds: () => pieces,
  run: (input) => {
    const plain = openPiece(seal, place, input);
    demand(plain.length === input.length - SEAL_BYTES, 'as long as what was sealed');
    demand(plain.length === 0 || sameBytes(plain, CONTENT), 'what opens is what was sealed');
  },
};

export const SEAL_TARGETS: readonly FuzzTarget[] = [keyRecord, signatures, sealedPiece];
