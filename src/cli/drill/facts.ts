import type { StatusDrill } from '../../core/status.ts';
import type { Vault } from '../../core/vault.ts';
import { type FoundEvidence, lastPassedAtMs, readEvidence } from '../../drills/evidence.ts';
import type { DrillEvidence } from '../../format/drill-evidence.ts';
import type { Settings } from '../config/config.ts';

/** What the drills on record say. */
export interface DrillFacts {
  /** Drills on record, whether they can be read or not. */
  readonly total: number;
  /** Null where there is none, or it cannot be read. */
  readonly newest: FoundEvidence | null;
  readonly lastPassedAtMs: number | null;
  /** Of the slowest whole restore of the newest drill that made one. */
  readonly rtoMs: number | null;
}

/** Mostly the newest few say all. */
const READ_FIRST = 4;
/** So many are read to find the last one that passed. */
const MOST_READ = 50;

/** Needs no key: only signatures are looked at. */
export async function readDrillFacts(vault: Vault, settings: Settings | null): Promise<DrillFacts> {
  const { trusted_signers: trustedSigners = [], require_signature: requireSignature = false } =
    settings?.encryption ?? {};
  const read = (limit: number) => readEvidence(vault, { trustedSigners, requireSignature }, limit);
  const few = await read(READ_FIRST);
  const facts = factsOf(few);
  const isEnough = few.total <= READ_FIRST || (facts.lastPassedAtMs !== null && facts.rtoMs !== null);
  return isEnough ? facts : factsOf(await read(MOST_READ));
}

function factsOf({ found, total }: { found: readonly FoundEvidence[]; total: number }): DrillFacts {
  const restored = found.map(wholeRestoreMs).find((ms) => ms !== null);
  return {
    ...{ total, newest: found[0] ?? null, lastPassedAtMs: lastPassedAtMs(found, null) },
    rtoMs: restored ?? null,
  };
}

/** What cannot be trusted measured nothing. */
function wholeRestoreMs({ evidence, problem }: FoundEvidence): number | null {
  if (evidence === null || problem !== null) return null;
  const whole = evidence.measurements.restores.filter(({ test }) => test === 'full_restore');
  return whole.length === 0 ? null : Math.max(...whole.map(({ restoreMs }) => restoreMs));
}

/** Null where there is none that can be read. */
export function drillStatus({ newest, rtoMs }: DrillFacts): StatusDrill | null {
  const evidence: DrillEvidence | null = newest?.evidence ?? null;
  if (evidence === null) return null;
  const { recoverableAgeMs } = evidence.measurements;
  return {
    at: evidence.finishedAt,
    passed: evidence.overallSuccess && newest?.problem === null,
    rtoSeconds: rtoMs === null ? null : rtoMs / 1000,
    rpoSeconds: recoverableAgeMs === null ? null : recoverableAgeMs / 1000,
    signed: evidence.signature !== undefined,
  };
}
