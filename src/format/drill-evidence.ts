import crypto from 'node:crypto';
import {
  CANARY,
  DRILL_TESTS,
  type DrillFact,
  type DrillMeasurements,
  type DrillObjective,
  type DrillResult,
  type DrillStep,
  type RestoreMeasurement,
} from '../core/drill.ts';
import { BackupError } from '../core/errors.ts';
import type { Signer } from '../core/key-ring.ts';
import { parseTime } from '../core/time.ts';
import { judgeSignature, type SignatureFinding, type TrustPolicy } from '../core/trust.ts';
import { isTooDeep } from './json-depth.ts';
import { isSignature, isSignedBy, type Signature, signText } from './signature.ts';

/** What a drill leaves for those who were not there (FORMAT.md §21 is normative). Names no stream and nothing of an event. */
export interface DrillEvidence {
  readonly drillId: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationMs: number;
  readonly software: string;
  /** Addresses, without secrets. */
  readonly store: string | null;
  readonly vault: string;
  /** What was restored into, in words. */
  readonly target: string;
  /** Which point was restored, in words. */
  readonly selection: string;
  readonly overallSuccess: boolean;
  readonly tests: readonly DrillResult[];
  readonly measurements: DrillMeasurements;
  readonly objectives: readonly DrillObjective[];
  readonly notes: readonly string[];
  /** The same for people to read. */
  readonly report: NamedDigest;
  /** The evidence before this one; null for the first. */
  readonly previous: NamedDigest | null;
  readonly signature?: Signature;
}

/** An object of the vault, and the SHA-256 (hex) of its bytes. */
export interface NamedDigest {
  readonly name: string;
  readonly sha256: string;
}

export const DRILLS_PREFIX = 'drills/';
const NAME = /^drills\/(\d{8}T\d{9}Z)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json$/;
const SIGNED = 'eventcore drill 1\n';
/** Anything larger is no evidence. */
export const MAX_EVIDENCE_BYTES = 4 << 20;

/** `20261129T181305123Z-<uuid>`: in the order of their begins by name. */
export function evidenceName({ startedAt, drillId }: Pick<DrillEvidence, 'startedAt' | 'drillId'>): string {
  return `${DRILLS_PREFIX}${startedAt.replaceAll(/[-:.]/g, '')}-${drillId}.json`;
}

/** Null when an object of this name is no evidence. */
export function parseEvidenceName(name: string): { readonly drillId: string } | null {
  const match = NAME.exec(name);
  return match === null ? null : { drillId: match[2]! };
}

export function encodeEvidence(evidence: DrillEvidence, signer: Signer | null): Buffer {
  const { signature: _, ...fields } = evidence;
  const plain = fieldsOf(fields);
  const signed = signer === null ? plain : { ...plain, signature: signText(signer, SIGNED + textOf(plain)) };
  return withChecksum(signed);
}

function withChecksum(fields: object): Buffer {
  const checksum = crypto.hash('sha256', textOf(fields), 'hex');
  return Buffer.from(`${textOf({ ...fields, checksum })}\n`);
}

function textOf(fields: object): string {
  return JSON.stringify(fields, null, 2);
}

/** All keys in their order, and no others. */
function fieldsOf(evidence: Omit<DrillEvidence, 'signature'>): object {
  const { drillId, startedAt, finishedAt, durationMs, software, store, vault, target } = evidence;
  const { selection, overallSuccess, measurements, notes, report, previous } = evidence;
  return {
    ...{ evidenceVersion: 1, drillId, startedAt, finishedAt, durationMs, software, store, vault, target },
    ...{ selection, overallSuccess },
    tests: evidence.tests.map(testOf),
    measurements: measurementsOf(measurements),
    objectives: evidence.objectives.map(({ name, targetMs, measuredMs, met }) => ({
      ...{ name, targetMs, measuredMs, met },
    })),
    notes: [...notes],
    report: digestOf(report),
    previous: previous === null ? null : digestOf(previous),
  };
}

function testOf({ name, state, code, reason, ms, steps }: DrillResult): object {
  return { name, state, code, reason, ms, steps: steps.map(stepOf) };
}

function stepOf({ name, ms, facts }: DrillStep): object {
  return { name, ms, facts: { ...facts } };
}

function measurementsOf({ restores, recoverableAgeMs, eventsAtRisk }: DrillMeasurements): object {
  return { restores: restores.map(restoreOf), recoverableAgeMs, eventsAtRisk };
}

function restoreOf(restore: RestoreMeasurement): object {
  const { test, region, backupId, restoreMs, phases, events, bytes, eventsPerSecond } = restore;
  return {
    ...{ test, region, backupId, restoreMs, phases: phases.map(({ name, ms }) => ({ name, ms })) },
    ...{ events, bytes, eventsPerSecond },
  };
}

function digestOf({ name, sha256 }: NamedDigest): object {
  return { name, sha256 };
}

/** Reads evidence and proves that it is as it was written. Throws `damaged`; a signature is not looked at. */
export function decodeEvidence(bytes: Uint8Array): DrillEvidence {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    throw new BackupError('damaged', 'the evidence is no JSON', { cause });
  }
  if (isTooDeep(value) || !isEvidence(value))
    throw new BackupError('damaged', 'the evidence is not one of this version');
  const { signature } = value;
  const plain = fieldsOf(value);
  // Bytes and not text: what is no UTF-8 became text that is.
  if (withChecksum(signature === undefined ? plain : { ...plain, signature }).equals(bytes)) return value;
  throw new BackupError('damaged', 'the evidence does not have its checksum');
}

/** What the signature of an evidence says. */
export function findEvidenceSignature(evidence: DrillEvidence, trust: TrustPolicy): SignatureFinding {
  const { signature, ...fields } = evidence;
  const isValid = signature !== undefined && isSignedBy(signature, SIGNED + textOf(fieldsOf(fields)));
  return judgeSignature(signature, isValid, trust);
}

function isEvidence(value: unknown): value is DrillEvidence {
  if (!isRecord(value) || value.evidenceVersion !== 1) return false;
  const { drillId, startedAt, finishedAt, software, store, vault, target, selection, signature } = value;
  if (![drillId, software, vault, target, selection].every(isText)) return false;
  if (![startedAt, finishedAt].every((time) => isText(time) && parseTime(time) !== null)) return false;
  if (parseEvidenceName(evidenceName(value as unknown as DrillEvidence)) === null) return false;
  if (store !== null && !isText(store)) return false;
  const { durationMs, overallSuccess, tests, measurements, objectives, notes, report, previous } = value;
  return (
    isNumber(durationMs) &&
    typeof overallSuccess === 'boolean' &&
    isListOf(tests, isTest) &&
    isMeasurements(measurements) &&
    isListOf(objectives, isObjective) &&
    isListOf(notes, isText) &&
    isNamedDigest(report) &&
    (previous === null || isNamedDigest(previous)) &&
    (signature === undefined || isSignature(signature))
  );
}

const STATES = ['passed', 'failed', 'not_due', 'skipped'];
const NAMES: readonly unknown[] = [...DRILL_TESTS, CANARY];

function isTest(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { name, state, code, reason, ms, steps } = value;
  return (
    NAMES.includes(name) &&
    STATES.includes(state as string) &&
    [code, reason].every((text) => text === null || isText(text)) &&
    isNumber(ms) &&
    isListOf(steps, isStep)
  );
}

function isStep(value: unknown): boolean {
  if (!isRecord(value) || !isText(value.name) || !isNumber(value.ms) || !isRecord(value.facts)) return false;
  // The order of such keys is not the order in which they were written.
  return Object.entries(value.facts).every(([key, fact]) => /^[a-z]\w*$/i.test(key) && isFact(fact));
}

function isFact(value: unknown): value is DrillFact {
  return value === null || ['string', 'boolean'].includes(typeof value) || isNumber(value);
}

function isMeasurements(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { restores, recoverableAgeMs, eventsAtRisk } = value;
  return [recoverableAgeMs, eventsAtRisk].every(isNumberOrNull) && isListOf(restores, isRestore);
}

function isRestore(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { test, region, backupId, restoreMs, phases, events, bytes, eventsPerSecond } = value;
  return (
    NAMES.includes(test) &&
    [region, backupId].every(isText) &&
    [restoreMs, events, bytes, eventsPerSecond].every(isNumber) &&
    isListOf(phases, (phase) => isRecord(phase) && isText(phase.name) && isNumber(phase.ms))
  );
}

function isObjective(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { name, targetMs, measuredMs, met } = value;
  const isNamed = ['rto', 'rpo', 'region_rpo'].includes(name as string);
  return isNamed && isNumber(targetMs) && isNumberOrNull(measuredMs) && typeof met === 'boolean';
}

function isNamedDigest(value: unknown): boolean {
  return isRecord(value) && isText(value.name) && /^[0-9a-f]{64}$/.test(String(value.sha256));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOf(value: unknown, isOne: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length <= 100_000 && value.every(isOne);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isNumberOrNull(value: unknown): boolean {
  return value === null || isNumber(value);
}
