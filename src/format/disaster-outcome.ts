import type { RecoveryOutcome } from '../core/disaster.ts';
import type { Signer } from '../core/key-ring.ts';
import type { SignatureFinding, TrustPolicy } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { isLoss, isStrategy, pickLoss, pickStrategy } from './disaster-fields.ts';
import { isEntry, pickEntry, runFolder } from './disaster-journal.ts';
import {
  cut,
  decodeRecord,
  encodeRecord,
  type Fields,
  findRecordSignature,
  isFields,
  isListOf,
  isNullOr,
  isNumber,
  isText,
  isUuid,
  putRecord,
  type RecordKind,
  readRecord,
  type Signed,
} from './record.ts';

/** What came of a recovery, beside its journal (FORMAT.md §22). */
export function outcomeName(planId: string): string {
  return `${runFolder(planId)}outcome.json`;
}

const STATES: Readonly<Record<RecoveryOutcome['state'], true>> = {
  recovered: true,
  in_part: true,
  stopped: true,
  abandoned: true,
};

const OUTCOME: RecordKind<RecoveryOutcome> = {
  what: 'the outcome',
  versionKey: 'outcomeVersion',
  signed: 'eventcore disaster outcome 1\n',
  maxBytes: 64 << 20,
  isOne: isOutcome,
  pick: pickOutcome,
};

export function encodeOutcome(outcome: RecoveryOutcome, signer: Signer | null): Buffer {
  return encodeRecord(OUTCOME, outcome, signer);
}

/** Throws `damaged`. */
export function decodeOutcome(bytes: Uint8Array): Signed<RecoveryOutcome> {
  return decodeRecord(OUTCOME, bytes);
}

export function findOutcomeSignature(outcome: Signed<RecoveryOutcome>, trust: TrustPolicy): SignatureFinding {
  return findRecordSignature(OUTCOME, outcome, trust);
}

/** Written once, when a run is at its end for good. False where there is another one. */
export function putOutcome(vault: Vault, bytes: Uint8Array): Promise<boolean> {
  return putRecord(vault, outcomeName(decodeOutcome(bytes).planId), bytes);
}

/** Null when there is none yet. Throws `damaged`. */
export async function readOutcome(vault: Vault, planId: string): Promise<Signed<RecoveryOutcome> | null> {
  const bytes = await readRecord(vault, outcomeName(planId), OUTCOME.maxBytes);
  return bytes === null ? null : decodeOutcome(bytes);
}

function isOutcome(value: Fields): boolean {
  const { planId, strategyUsed, state, recoveryTimeMs, dataLoss, systemsRecovered } = value;
  const { unprotectedMs, timeline, reasons } = value;
  return (
    isUuid(planId) &&
    isStrategy(strategyUsed) &&
    isText(state) &&
    Object.hasOwn(STATES, state) &&
    [recoveryTimeMs, unprotectedMs].every(isNullOr(isNumber)) &&
    isFields(dataLoss) &&
    isLoss(dataLoss.estimate) &&
    [dataLoss.exactEvents, dataLoss.exactMs, dataLoss.inDoubt].every(isNullOr(isNumber)) &&
    isListOf(systemsRecovered, isText) &&
    isListOf(timeline, (entry) => isFields(entry) && isEntry(entry), 100_000) &&
    isListOf(reasons, isText)
  );
}

function pickOutcome(outcome: RecoveryOutcome): RecoveryOutcome {
  const { planId, strategyUsed, state, recoveryTimeMs, dataLoss, unprotectedMs } = outcome;
  const { estimate, exactEvents, exactMs, inDoubt } = dataLoss;
  return {
    ...{ planId, strategyUsed: pickStrategy(strategyUsed), state, recoveryTimeMs },
    dataLoss: { estimate: pickLoss(estimate), exactEvents, exactMs, inDoubt },
    systemsRecovered: outcome.systemsRecovered.map(cut),
    unprotectedMs,
    timeline: outcome.timeline.map(pickEntry),
    reasons: outcome.reasons.map(cut),
  };
}
