import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_TRUST_POLICY } from '../../src/core/trust.ts';
import {
  decodeEvidence,
  encodeEvidence,
  evidenceName,
  findEvidenceSignature,
  parseEvidenceName,
} from '../../src/format/drill-evidence.ts';
import { sampleEvidence } from '../harness/sample-evidence.ts';
import { makeSigner } from '../harness/test-keys.ts';

test('evidence reads back as it was written, signed or not', () => {
  const signer = makeSigner();
  for (const evidence of [
    sampleEvidence(),
    sampleEvidence({ previous: sampleEvidence().report, store: null }),
  ]) {
    const plain = decodeEvidence(encodeEvidence(evidence, null));
    assert.deepEqual(encodeEvidence(plain, null), encodeEvidence(evidence, null));
    assert.equal(findEvidenceSignature(plain, NO_TRUST_POLICY).state, 'unsigned');
    const signed = decodeEvidence(encodeEvidence(evidence, signer));
    assert.deepEqual(findEvidenceSignature(signed, NO_TRUST_POLICY), {
      state: 'signed',
      signer: signer.name,
    });
    const trust = { trustedSigners: [makeSigner().name], requireSignature: true };
    assert.equal(findEvidenceSignature(signed, trust).state, 'stranger');
  }
});

test('each flipped bit of evidence is found', () => {
  const bytes = encodeEvidence(sampleEvidence(), makeSigner());
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 1 << (at % 8);
    assert.throws(() => decodeEvidence(flipped), { code: 'damaged' });
  }
});

test('a verdict that was turned round, with a checksum that fits, has a signature that nobody made', () => {
  const signed = decodeEvidence(encodeEvidence(sampleEvidence(), makeSigner()));
  const { signature, ...fields } = signed;
  const turned = { ...fields, overallSuccess: true, signature: signature! };
  assert.equal(findEvidenceSignature(turned, NO_TRUST_POLICY).state, 'forged');
});

test('names sort by the begin of the drill, and nothing else is taken for evidence', () => {
  const name = evidenceName(sampleEvidence());
  assert.equal(name, 'drills/20261123T040506789Z-0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a.json');
  assert.deepEqual(parseEvidenceName(name), { drillId: sampleEvidence().drillId });
  for (const other of [
    name.replace('json', 'html'),
    `x/${name}`,
    'drills/scratch/a/backups/x.json',
    'drills/.json',
  ])
    assert.equal(parseEvidenceName(other), null);
});
