import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { isBackupError } from '../../src/core/errors.ts';
import {
  exportSealKey,
  importSealKey,
  makeSealKey,
  openPiece,
  type PiecePlace,
  SEAL_BYTES,
  type Seal,
  sealKeyId,
  sealPiece,
} from '../../src/format/seal.ts';

const seal: Seal = { key: makeSealKey(), scope: 'a0000000-0000-4000-8000-000000000001' };
const place: PiecePlace = { file: 'events-00001.columns.zst.sealed', number: 3, isLast: false };

const isDamaged = (error: unknown): boolean => isBackupError(error, 'damaged');

test('what is sealed opens at its place, and is longer by a nonce and a tag', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (plain) => {
      const stored = sealPiece(seal, place, plain);
      assert.equal(stored.length, plain.length + SEAL_BYTES);
      assert.deepEqual(new Uint8Array(openPiece(seal, place, stored)), plain);
    }),
  );
});

test('every flipped bit and every cut of a sealed piece is found', () => {
  const stored = sealPiece(seal, place, Buffer.from('an event'));
  for (let bit = 0; bit < stored.length * 8; bit += 1) {
    const changed = Buffer.from(stored);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(() => openPiece(seal, place, changed), isDamaged, `bit ${bit}`);
  }
  for (let length = 0; length < stored.length; length += 1) {
    assert.throws(() => openPiece(seal, place, stored.subarray(0, length)), isDamaged, `${length} bytes`);
  }
});

test('a piece opens nowhere but where it was sealed', () => {
  const stored = sealPiece(seal, place, Buffer.from('an event'));
  const elsewhere: [Seal, PiecePlace][] = [
    [seal, { ...place, number: 4 }],
    [seal, { ...place, isLast: true }],
    [seal, { ...place, file: 'events-00002.columns.zst.sealed' }],
    [{ ...seal, scope: 'a0000000-0000-4000-8000-000000000002' }, place],
    [{ ...seal, key: makeSealKey() }, place],
  ];
  for (const [other, at] of elsewhere) assert.throws(() => openPiece(other, at, stored), isDamaged);
});

test('the same bytes never look the same twice', () => {
  const pieces = Array.from({ length: 1000 }, () => Buffer.from(sealPiece(seal, place, Buffer.alloc(16))));
  assert.equal(new Set(pieces.map((piece) => piece.toString('hex', 0, 12))).size, 1000);
  assert.equal(new Set(pieces.map((piece) => piece.toString('hex', 12))).size, 1000);
});

test('a key has an id that is its own and says nothing of it', () => {
  const bytes = exportSealKey(seal.key);
  assert.equal(sealKeyId(importSealKey(bytes)), sealKeyId(seal.key));
  assert.match(sealKeyId(seal.key), /^[0-9a-f]{32}$/);
  assert.notEqual(sealKeyId(makeSealKey()), sealKeyId(seal.key));
  assert.throws(() => importSealKey(bytes.subarray(1)), isDamaged);
});

test('a key goes to a thread, and shows nothing of itself where it is printed', async () => {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     parentPort.once('message', (seal) => parentPort.postMessage(seal.key.export().toString('hex')));`,
    { eval: true },
  );
  const arrived = new Promise((resolve) => worker.once('message', resolve));
  worker.postMessage(seal);
  const secret = Buffer.from(exportSealKey(seal.key)).toString('hex');
  assert.equal(await arrived, secret);
  const shown = `${JSON.stringify(seal)} ${inspect(seal, { depth: 9, showHidden: true })} ${String(seal.key)}`;
  assert.ok(!shown.includes(secret.slice(0, 8)), shown);
});
