import { assertObjectName } from '../../../src/core/object-name.ts';
import { NO_TRUST_POLICY } from '../../../src/core/trust.ts';
import { findRate } from '../../../src/disaster/rates.ts';
import {
  decodeEntry,
  encodeEntry,
  entryName,
  findEntrySignature,
  parseEntryName,
} from '../../../src/format/disaster-journal.ts';
import { decodeOutcome, encodeOutcome, outcomeName } from '../../../src/format/disaster-outcome.ts';
import {
  decodePlan,
  encodePlan,
  findPlanSignature,
  parsePlanName,
  planName,
} from '../../../src/format/disaster-plan.ts';
import {
  decodePrimary,
  encodePrimary,
  newestOf,
  parsePrimaryName,
  primaryName,
} from '../../../src/format/disaster-primary.ts';
import {
  decodeSample,
  encodeSample,
  parseSampleName,
  sampleName,
} from '../../../src/format/disaster-sample.ts';
import {
  sampleEntry,
  sampleOutcome,
  samplePlan,
  samplePosition,
  samplePrimary,
} from '../../harness/sample-disaster.ts';
import { makeSigner } from '../../harness/test-keys.ts';
import { demand, type FuzzTarget, sameBytes } from '../engine/target.ts';
import { reshapeDocument } from './documents.ts';

/** What decodes without its signature encodes to what is read without it. */
function demandSame(input: Uint8Array, record: { readonly signature?: object }, encoded: Buffer): void {
  if (record.signature === undefined)
    demand(sameBytes(encoded, input), 'what decodes encodes to the same bytes');
}

const plan: FuzzTarget = {
  name: 'plan of a recovery',
  refusals: ['damaged'],
  seeds: () => [
    encodePlan(samplePlan(), null),
    encodePlan(
      samplePlan({ strategy: { kind: 'local_restore' }, recoverTo: '2026-11-29T03:00:00Z' }),
      makeSigner(),
    ),
  ],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const read = decodePlan(input);
    demandSame(input, read, encodePlan(read, null));
    assertObjectName(planName(read));
    demand(parsePlanName(planName(read))?.planId === read.planId, 'a plan that decodes has a name');
    findPlanSignature(read, NO_TRUST_POLICY);
  },
};

const entry: FuzzTarget = {
  name: 'journal of a recovery',
  refusals: ['damaged'],
  seeds: () => [
    encodeEntry(sampleEntry(), null),
    encodeEntry(sampleEntry({ number: 77, kind: 'failed', step: 'promote', facts: {} }), makeSigner()),
  ],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const read = decodeEntry(input);
    demandSame(input, read, encodeEntry(read, null));
    findEntrySignature(read, NO_TRUST_POLICY);
    if (read.number > 99_999) return;
    assertObjectName(entryName(read));
    demand(parseEntryName(entryName(read))?.number === read.number, 'an entry that decodes has a name');
  },
};

const outcome: FuzzTarget = {
  name: 'outcome of a recovery',
  refusals: ['damaged'],
  seeds: () => [
    encodeOutcome(sampleOutcome(), null),
    encodeOutcome(sampleOutcome({ timeline: [] }), makeSigner()),
  ],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const read = decodeOutcome(input);
    demandSame(input, read, encodeOutcome(read, null));
    assertObjectName(outcomeName(read.planId));
  },
};

const sample: FuzzTarget = {
  name: 'sample of a primary',
  refusals: ['damaged'],
  seeds: () => [encodeSample(samplePosition()), encodeSample(samplePosition({ eventsInserted: null }))],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const read = decodeSample(input);
    demand(sameBytes(encodeSample(read), input), 'what decodes encodes to the same bytes');
    demand(parseSampleName(sampleName(read)) !== null, 'a sample that decodes has a name');
    const rate = findRate([read, samplePosition({ sampledAt: '2020-01-01T00:00:00.000Z', position: '0/1' })]);
    for (const number of [rate?.eventsPerByte, rate?.eventsPerMs])
      demand(number == null || (Number.isFinite(number) && number >= 0), 'a rate is a number');
  },
};

const primary: FuzzTarget = {
  name: 'record of a primary',
  refusals: ['damaged'],
  seeds: () => [encodePrimary(samplePrimary()), encodePrimary(samplePrimary({ timeline: null }))],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const read = decodePrimary(input);
    demand(sameBytes(encodePrimary(read), input), 'what decodes encodes to the same bytes');
    demand(newestOf([samplePrimary({ epoch: 0, recordedAt: '' }), read]) === read, 'the newest counts');
  },
};

const names: FuzzTarget = {
  name: 'names of a recovery',
  refusals: [],
  seeds: () =>
    [planName(samplePlan()), entryName(sampleEntry()), sampleName(samplePosition()), primaryName(7)].map(
      (name) => Buffer.from(name),
    ),
  run: (input) => {
    const name = Buffer.from(input).toString();
    const read = [parsePlanName(name), parseEntryName(name), parseSampleName(name), parsePrimaryName(name)];
    const found = read.filter((one) => one !== null);
    demand(found.length <= 1, 'no name is two things');
    if (found.length > 0) assertObjectName(name);
    return found.length > 0;
  },
};

export const DISASTER_TARGETS: readonly FuzzTarget[] = [plan, entry, outcome, sample, primary, names];
