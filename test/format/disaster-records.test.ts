import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { StepFacts } from '../../src/core/disaster.ts';
import type { Signer } from '../../src/core/key-ring.ts';
import { NO_TRUST_POLICY, type SignatureFinding } from '../../src/core/trust.ts';
import { decodeEntry, encodeEntry, findEntrySignature } from '../../src/format/disaster-journal.ts';
import { decodeOutcome, encodeOutcome, findOutcomeSignature } from '../../src/format/disaster-outcome.ts';
import {
  decodePlan,
  encodePlan,
  findPlanSignature,
  parsePlanName,
  planName,
} from '../../src/format/disaster-plan.ts';
import {
  decodePrimary,
  encodePrimary,
  parsePrimaryName,
  primaryName,
} from '../../src/format/disaster-primary.ts';
import { decodeSample, encodeSample, parseSampleName, sampleName } from '../../src/format/disaster-sample.ts';
import {
  sampleEntry,
  sampleOutcome,
  samplePlan,
  samplePosition,
  samplePrimary,
} from '../harness/sample-disaster.ts';
import { makeSigner } from '../harness/test-keys.ts';

interface Codec {
  readonly encode: (signer: Signer | null) => Buffer;
  readonly decode: (bytes: Uint8Array) => unknown;
  readonly record: object;
  readonly isSigned: boolean;
}

const CODECS: Readonly<Record<string, Codec>> = {
  plan: {
    ...{ record: samplePlan(), decode: decodePlan, isSigned: true },
    encode: (signer) => encodePlan(samplePlan(), signer),
  },
  'plan of a restore': {
    ...{ decode: decodePlan, isSigned: true },
    record: samplePlan({ strategy: { kind: 'local_restore' }, recoverTo: '2026-11-29 03:00:00+01:00' }),
    encode: (signer) =>
      encodePlan(
        samplePlan({ strategy: { kind: 'local_restore' }, recoverTo: '2026-11-29 03:00:00+01:00' }),
        signer,
      ),
  },
  'journal entry': {
    ...{ record: sampleEntry(), decode: decodeEntry, isSigned: true },
    encode: (signer) => encodeEntry(sampleEntry(), signer),
  },
  outcome: {
    ...{ record: sampleOutcome(), decode: decodeOutcome, isSigned: true },
    encode: (signer) => encodeOutcome(sampleOutcome(), signer),
  },
  sample: {
    ...{ record: samplePosition(), decode: decodeSample, isSigned: false },
    encode: () => encodeSample(samplePosition()),
  },
  'record of the primary': {
    ...{ record: samplePrimary(), decode: decodePrimary, isSigned: false },
    encode: () => encodePrimary(samplePrimary()),
  },
};

for (const [name, { record, encode, decode, isSigned }] of Object.entries(CODECS)) {
  describe(`a ${name}`, () => {
    it('reads as it was written', () => {
      assert.deepEqual(decode(encode(null)), record);
      const { signature, ...rest } = decode(encode(makeSigner())) as { signature?: object };
      assert.deepEqual(rest, record);
      assert.equal(signature !== undefined, isSigned);
    });

    it('reads as damaged when any byte of it was changed, or was cut off, or was added', () => {
      const bytes = encode(makeSigner());
      for (let at = 0; at < bytes.length; at += 1) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1 << (at % 8);
        assert.throws(() => decode(changed), { code: 'damaged' }, `byte ${at}`);
        assert.throws(() => decode(bytes.subarray(0, at)), { code: 'damaged' });
      }
      assert.throws(() => decode(Buffer.concat([bytes, Buffer.from('\n')])), { code: 'damaged' });
    });
  });
}

it('what was turned round, with a checksum that fits, has a signature that nobody made', () => {
  const signer = makeSigner();
  const found: readonly ((turn: boolean) => SignatureFinding)[] = [
    (turn) => {
      const plan = decodePlan(encodePlan(samplePlan(), signer));
      return findPlanSignature(turn ? { ...plan, risks: [] } : plan, NO_TRUST_POLICY);
    },
    (turn) => {
      const entry = decodeEntry(encodeEntry(sampleEntry(), signer));
      return findEntrySignature(turn ? { ...entry, actor: 'somebody else' } : entry, NO_TRUST_POLICY);
    },
    (turn) => {
      const outcome = decodeOutcome(encodeOutcome(sampleOutcome(), signer));
      return findOutcomeSignature(turn ? { ...outcome, recoveryTimeMs: 1 } : outcome, NO_TRUST_POLICY);
    },
  ];
  for (const find of found) {
    assert.deepEqual(find(false), { state: 'signed', signer: signer.name });
    assert.equal(find(true).state, 'forged');
  }
});

it('a signature of a plan is none of an entry', () => {
  const plan = decodePlan(encodePlan(samplePlan(), makeSigner()));
  const entry = { ...sampleEntry(), signature: plan.signature! };
  assert.equal(findEntrySignature(entry, NO_TRUST_POLICY).state, 'forged');
});

describe('whatever a step says of itself', () => {
  const facts = fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom('0', '17', '__proto__', 'events', 'lsn', 'constructor')),
    fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
  );

  it('is an entry that can be read, and reads the same', () => {
    fc.assert(
      fc.property(facts, fc.string({ unit: 'binary' }), (dictionary, text) => {
        const entry = sampleEntry({ facts: dictionary as StepFacts, text });
        const read = decodeEntry(encodeEntry(entry, null));
        assert.deepEqual(encodeEntry(read, null), encodeEntry(entry, null));
        assert.equal(read.text, text);
      }),
    );
  });

  it('is cut where it is too long, and left out where it is too much', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`fact${i}`, 'x'.repeat(9000)]));
    const read = decodeEntry(encodeEntry(sampleEntry({ facts: many, text: 'y'.repeat(9000) }), null));
    assert.equal(Object.keys(read.facts).length, 100);
    assert.ok(read.text.length === 4000 && read.text.endsWith('…'));
    assert.deepEqual(decodeEntry(encodeEntry(sampleEntry({ facts: { n: Number.NaN } }), null)).facts, {
      n: null,
    });
  });
});

it('a kind, a step, a risk or a state that there is not is refused, whatever its checksum', () => {
  const entry = (changes: object): Buffer => encodeEntry({ ...sampleEntry(), ...changes }, null);
  const plan = (changes: object): Buffer => encodePlan({ ...samplePlan(), ...changes }, null);
  for (const changes of [
    ...[{ kind: 'toString' }, { step: 'reboot' }, { number: 0 }, { epoch: -1 }, { planId: '../x' }],
    ...[{ previous: 'A'.repeat(64) }, { at: '2026-11-29' }, { at: 'infinity' }],
  ])
    assert.throws(() => decodeEntry(entry(changes)), { code: 'damaged' }, JSON.stringify(changes));
  for (const changes of [
    { trigger: 'boredom' },
    { strategy: { kind: 'full_rebuild' } },
    { risks: [{ risk: 'constructor', text: '' }] },
    { steps: [{ step: 'fence', does: 1, text: '' }] },
    { estimatedDataLoss: { ...samplePlan().estimatedDataLoss, bytes: '-1' } },
    { primary: { ...samplePlan().primary, state: 'tired' } },
  ])
    assert.throws(() => decodePlan(plan(changes)), { code: 'damaged' }, JSON.stringify(changes));
  const outcome = encodeOutcome({ ...sampleOutcome(), state: 'great' as 'stopped' }, null);
  assert.throws(() => decodeOutcome(outcome), { code: 'damaged' });
  assert.throws(() => decodeSample(encodeSample(samplePosition({ position: '0-5' }))), { code: 'damaged' });
});

it('names sort by time or number, and nothing else is taken for one', () => {
  const plan = planName(samplePlan());
  assert.equal(plan, `disaster/plans/20261129T030405678Z-${samplePlan().planId}.json`);
  assert.deepEqual(parsePlanName(plan), { planId: samplePlan().planId });
  const sample = sampleName(samplePosition());
  assert.match(sample, /^disaster\/samples\/20261129T030405678Z-[0-9a-f]{8}\.json$/);
  assert.equal(parseSampleName(sample)!.time, '20261129T030405678Z');
  assert.equal(primaryName(12), 'disaster/primaries/00012.json');
  assert.equal(parsePrimaryName('disaster/primaries/00012.json'), 12);
  for (const other of [
    'disaster/primaries/00000.json',
    'disaster/primaries/1.json',
    `x/${plan}`,
    `${plan}.gz`,
  ]) {
    assert.equal(parsePrimaryName(other), null);
    assert.equal(parsePlanName(other), null);
    assert.equal(parseSampleName(other), null);
  }
});
