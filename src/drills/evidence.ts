import crypto from 'node:crypto';
import { DRILL_TESTS, type DrillTestName } from '../core/drill.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { Signer } from '../core/key-ring.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import { type SignatureFinding, type TrustPolicy, whyNotTrusted } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { writeObject } from '../format/data-file-writer.ts';
import {
  DRILLS_PREFIX,
  type DrillEvidence,
  decodeEvidence,
  encodeEvidence,
  evidenceName,
  findEvidenceSignature,
  MAX_EVIDENCE_BYTES,
  type NamedDigest,
  parseEvidenceName,
} from '../format/drill-evidence.ts';
import type { DrillReport } from './drill.ts';
import { publicText } from './public-text.ts';
import { renderReport } from './render-report.ts';

/** One evidence of a vault, or what is wrong with it. */
export interface FoundEvidence {
  readonly name: string;
  readonly drillId: string;
  /** Null where it cannot be read; `problem` says why. */
  readonly evidence: DrillEvidence | null;
  /** Of its bytes, as the next one names it. */
  readonly sha256: string;
  readonly signature: SignatureFinding | null;
  /** Why it proves nothing, in words; null when it does. */
  readonly problem: string | null;
}

/** The newest evidences of a vault, the newest first. Whoever reads more pays for it. */
export async function readEvidence(
  vault: Vault,
  trust: TrustPolicy,
  limit: number,
): Promise<{ readonly found: readonly FoundEvidence[]; readonly total: number }> {
  const names: { name: string; sizeBytes: number }[] = [];
  for await (const info of vault.list(DRILLS_PREFIX)) {
    if (parseEvidenceName(info.name) !== null) names.push(info);
  }
  const found: FoundEvidence[] = [];
  for (const { name, sizeBytes } of names.toReversed().slice(0, limit)) {
    found.push(await readOne(vault, name, sizeBytes, trust));
  }
  return { found, total: names.length };
}

async function readOne(
  vault: Vault,
  name: string,
  sizeBytes: number,
  trust: TrustPolicy,
): Promise<FoundEvidence> {
  const { drillId } = parseEvidenceName(name)!;
  const broken = (problem: string, sha256 = ''): FoundEvidence => {
    return { name, drillId, evidence: null, sha256, signature: null, problem };
  };
  if (sizeBytes > MAX_EVIDENCE_BYTES) return broken(`it has ${sizeBytes} bytes`);
  const bytes = await vault.readRange(name, 0, sizeBytes);
  const sha256 = crypto.hash('sha256', bytes, 'hex');
  try {
    const evidence = decodeEvidence(bytes);
    if (evidenceName(evidence) !== name) return broken('it has the name of another one', sha256);
    const signature = findEvidenceSignature(evidence, trust);
    return { name, drillId, evidence, sha256, signature, problem: whyNotTrusted(signature, trust) };
  } catch (error) {
    if (!isBackupError(error, 'damaged')) throw error;
    return broken(error.message, sha256);
  }
}

export interface ChainLinkState {
  readonly state: 'first' | 'follows' | 'missing' | 'changed';
  readonly message: string;
}

/** Whether the evidence before is there, and is what it was when this one was written. */
export async function checkPrevious(
  vault: Vault,
  { previous }: DrillEvidence,
  read: readonly FoundEvidence[] = [],
): Promise<ChainLinkState> {
  if (previous === null) return { state: 'first', message: 'it is the first one of this vault' };
  const sha256 =
    read.find(({ name }) => name === previous.name)?.sha256 ?? (await digestAt(vault, previous.name));
  if (sha256 === null) return { state: 'missing', message: `${previous.name}, which it follows, is gone` };
  if (sha256 === previous.sha256) return { state: 'follows', message: `it follows ${previous.name}` };
  return { state: 'changed', message: `${previous.name}, which it follows, is not what it was` };
}

/** Whether the report for people is what was written with the evidence. */
export async function isReportWhole(vault: Vault, { report }: DrillEvidence): Promise<boolean> {
  return (await digestAt(vault, report.name)) === report.sha256;
}

async function digestAt(vault: Vault, name: string): Promise<string | null> {
  // A name that an evidence gives may be anything.
  if (!/^drills\/[A-Za-z0-9][\w.-]{0,199}$/.test(name)) return null;
  const info = await vault.stat(name);
  if (info === null || info.sizeBytes > 4 * MAX_EVIDENCE_BYTES) return null;
  return crypto.hash('sha256', await vault.readRange(name, 0, info.sizeBytes), 'hex');
}

/**
 * When a drill, or one of its tests, passed last; null when none did that can be trusted. A drill of which tests were left out is
 * none: who runs one test only does not know of the others.
 */
export function lastPassedAtMs(found: readonly FoundEvidence[], test: DrillTestName | null): number | null {
  const passed = found.find(({ evidence, problem }) => {
    if (evidence === null || problem !== null) return false;
    const { tests, overallSuccess } = evidence;
    if (test !== null) return tests.some(({ name, state }) => name === test && state === 'passed');
    return overallSuccess && DRILL_TESTS.every((wanted) => tests.some(({ name }) => name === wanted));
  });
  return passed === undefined ? null : timeToUnixMs(parseTime(passed.evidence!.finishedAt) ?? 0n);
}

export interface EvidenceAbout {
  readonly software: string;
  readonly store: string | null;
  readonly vault: string;
  readonly selection: string;
}

/**
 * Writes what a drill proved: the report for people first, the evidence last, which names it and the evidence before it by their digests.
 * Throws as the vault does.
 */
export async function writeEvidence(
  vault: Vault,
  report: DrillReport,
  about: EvidenceAbout,
  { signer, past }: { readonly signer: Signer | null; readonly past: readonly FoundEvidence[] },
): Promise<NamedDigest> {
  const name = evidenceName(report);
  if (parseEvidenceName(name) === null) throw new BackupError('internal', `${name} is no name of evidence`);
  const [newest] = past;
  const facts: Omit<DrillEvidence, 'report'> = {
    ...factsOf(report),
    ...about,
    previous: newest === undefined ? null : { name: newest.name, sha256: newest.sha256 },
  };
  const page = Buffer.from(renderReport(facts, past));
  const pageName = name.replace(/json$/, 'html');
  const pageDigest = crypto.hash('sha256', page, 'hex');
  const bytes = encodeEvidence({ ...facts, report: { name: pageName, sha256: pageDigest } }, signer);
  await writeObject(vault, pageName, page);
  await writeObject(vault, name, bytes);
  return { name, sha256: crypto.hash('sha256', bytes, 'hex') };
}

/** Without what names a stream, or what is in an event. */
function factsOf(report: DrillReport): Omit<DrillEvidence, 'report' | 'previous' | keyof EvidenceAbout> {
  const { drillId, startedAt, finishedAt, durationMs, overallSuccess, measurements, objectives } = report;
  return {
    ...{ drillId, startedAt, finishedAt, durationMs, overallSuccess, measurements, objectives },
    target: report.target,
    tests: report.tests.map((test) => ({
      ...test,
      reason: test.reason === null ? null : publicText(test.reason, test.code),
    })),
    notes: [
      ...report.notes,
      ...report.leftovers.map((left) => `removed what a killed drill had left: ${left}`),
    ].map((note) => publicText(note, null)),
  };
}
