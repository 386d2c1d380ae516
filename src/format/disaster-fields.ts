/** Checks and copies of what the records of recoveries alone hold. */
import {
  type DataLossEstimate,
  type PrimaryFinding,
  RECOVERY_STEPS,
  type RecoveryStrategy,
  STRATEGY_KINDS,
  type StepFacts,
} from '../core/disaster.ts';
import { cut, isCount, isFields, isListOf, isLsn, isNullOr, isNumber, isText } from './record.ts';

export const DISASTER_PREFIX = 'disaster/';

const MOST_FACTS = 100;
const FACT_NAME = /^[A-Za-z][\w.:-]{0,99}$/;

export function isStepName(value: unknown): boolean {
  return (RECOVERY_STEPS as readonly unknown[]).includes(value);
}

export function isStrategy(value: unknown): value is RecoveryStrategy {
  if (!isFields(value) || !(STRATEGY_KINDS as readonly unknown[]).includes(value.kind)) return false;
  return value.kind === 'local_restore' ? value.targetRegion === undefined : isText(value.targetRegion);
}

export function pickStrategy(strategy: RecoveryStrategy): RecoveryStrategy {
  const { kind } = strategy;
  return kind === 'local_restore' ? { kind } : { kind, targetRegion: strategy.targetRegion };
}

export function isLoss(value: unknown): value is DataLossEstimate {
  if (!isFields(value)) return false;
  const { bytes, events, timeMs, sampleAgeMs, basis } = value;
  const isBytes = bytes === null || (isText(bytes) && /^(?:0|[1-9]\d{0,19})$/.test(bytes));
  return isBytes && [events, timeMs, sampleAgeMs].every(isNullOr(isNumber)) && isText(basis);
}

export function pickLoss(loss: DataLossEstimate): DataLossEstimate {
  const { bytes, events, timeMs, sampleAgeMs, basis } = loss;
  return { bytes, events, timeMs, sampleAgeMs, basis: cut(basis) };
}

const PRIMARY_STATES: Readonly<Record<PrimaryFinding['state'], true>> = {
  alive: true,
  dead: true,
  disputed: true,
  doubled: true,
  unknown: true,
};

export function isPrimary(value: unknown): value is PrimaryFinding {
  if (!isFields(value)) return false;
  const { state, region, server, systemIdentifier, timeline, lastPosition, reasons } = value;
  return (
    isText(state) &&
    Object.hasOwn(PRIMARY_STATES, state) &&
    [region, server, systemIdentifier].every(isNullOr(isText)) &&
    isNullOr(isCount)(timeline) &&
    isNullOr(isLsn)(lastPosition) &&
    isListOf(reasons, isText)
  );
}

export function pickPrimary(primary: PrimaryFinding): PrimaryFinding {
  const { state, region, server, systemIdentifier, timeline, lastPosition, reasons } = primary;
  return { state, region, server, systemIdentifier, timeline, lastPosition, reasons: reasons.map(cut) };
}

export function isFacts(value: unknown): value is StepFacts {
  return isFields(value) && Object.values(value).every(isFact);
}

function isFact(value: unknown): boolean {
  return value === null || ['string', 'boolean'].includes(typeof value) || isNumber(value);
}

/**
 * What an entry can hold of them. A run must not die of what a command said, nor leave an entry that nobody can read: names that are none
 * (numbers would change their order) and what is too much are left out, long texts are cut, and what is no number is null.
 */
export function pickFacts(facts: StepFacts): StepFacts {
  const kept = Object.entries(facts).filter(([name]) => FACT_NAME.test(name));
  return Object.fromEntries(kept.slice(0, MOST_FACTS).map(([name, fact]) => [name, pickFact(fact)]));
}

function pickFact(fact: StepFacts[string]): StepFacts[string] {
  if (typeof fact === 'string') return cut(fact);
  if (typeof fact === 'number') return Number.isFinite(fact) ? fact : null;
  return fact;
}
