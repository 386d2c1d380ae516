import type { Clock } from '../core/clock.ts';
import type {
  DrillFact,
  DrillMeasurements,
  DrillObjective,
  DrillSelect,
  DrillState,
  DrillStep,
  DrillTestName,
  RestoreMeasurement,
} from '../core/drill.ts';
import type { DrillTargets } from '../core/drill-target.ts';
import { throwIfAborted } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import type { ChunkFormat, Compression } from '../core/manifest.ts';
import type { Vault } from '../core/vault.ts';
import type { Writers } from '../core/writers.ts';
import type { Chain } from '../format/chain.ts';
import type { ReadKeys } from '../format/open-bundle.ts';
import type { VerifyPorts } from '../integrity/verify/backup.ts';
import type { RestorePorts } from '../recovery/restore.ts';
import type { SemanticChecks } from './semantics.ts';

/** What a drill works with. */
export interface DrillPorts {
  /** The store that is backed up; null where none is named. Only read. */
  readonly store: EventStore | null;
  readonly vault: Vault;
  readonly targets: DrillTargets;
  readonly regions: readonly DrillRegion[];
  readonly keys: ReadKeys;
  readonly clock: Clock;
  readonly writers: Writers;
  readonly checks: SemanticChecks;
  /** A vault that is gone with this process. */
  readonly scratchVault: () => Vault;
  /** From 0 up to 1, each as likely as any other. */
  readonly random: () => number;
  /** How files are checked and chunks loaded; left out: in this thread. */
  readonly fileRunner?: (vault: Vault) => Pick<VerifyPorts, 'runFile'>;
  readonly loadRunner?: (
    target: string,
    vault: Vault,
    chain: Chain,
  ) => Pick<RestorePorts, 'runLoad' | 'runPart'>;
}

/** The vault of another region of the policy. */
export interface DrillRegion {
  readonly name: string;
  readonly kind: 'primary' | 'replica' | 'archive';
  /** Opened when it is its turn. The caller closes it. */
  readonly open: () => Promise<Vault>;
}

export interface DrillSettings {
  /** Tests to run; the canary always runs. */
  readonly only: readonly DrillTestName[] | null;
  readonly select: DrillSelect;
  /** Id of a backup, or its first characters: restored instead of what `select` says. */
  readonly backup: string | null;
  readonly samplePercentage: number;
  /** Why the full restore is not due, in words; null when it is. */
  readonly fullNotDue: string | null;
  readonly keepOnFailure: boolean;
  readonly cleanup: boolean;
  readonly objectives: { readonly rtoMs?: number; readonly rpoMs?: number; readonly regionRpoMs?: number };
  readonly parallel: number;
  readonly format: ChunkFormat;
  readonly compression: Compression;
  readonly software: string;
  /** Milliseconds that one test may take. */
  readonly deadlineMs: number;
}

export interface DrillContext extends DrillPorts {
  readonly settings: DrillSettings;
  /** Name of the test that runs. */
  readonly test: DrillTestName;
  /** Fires when the user wants to stop, and when the test has taken too long. */
  readonly signal: AbortSignal;
  /** Runs a part of the test, and notes how long it took and what it says of itself. */
  readonly step: <Result>(name: string, work: (facts: Facts) => Promise<Result>) => Promise<Result>;
  readonly measure: (restore: RestoreMeasurement) => void;
  readonly measured: (facts: Partial<Pick<DrillMeasurements, 'recoverableAgeMs' | 'eventsAtRisk'>>) => void;
  /** Throws `verification_failed` when it was not met. */
  readonly objective: (name: DrillObjective['name'], measuredMs: number | null) => void;
  /** What people should know, though it is no failure. */
  readonly note: (text: string) => void;
}

export type Facts = Record<string, DrillFact>;

export interface DrillTest {
  readonly name: DrillTestName;
  /** A failure is thrown. */
  readonly run: (context: DrillContext) => Promise<TestOutcome>;
}

/** Null: it passed. */
export type TestOutcome = {
  readonly state: Exclude<DrillState, 'failed' | 'passed'>;
  readonly reason: string;
} | null;

export function skipped(reason: string): TestOutcome {
  return { state: 'skipped', reason };
}

export function notDue(reason: string): TestOutcome {
  return { state: 'not_due', reason };
}

/** Notes the steps of a test as they are made. */
export function stepNotes(
  signal: AbortSignal,
  onStep: (name: string) => void,
): { readonly steps: DrillStep[]; readonly step: DrillContext['step'] } {
  const steps: DrillStep[] = [];
  const step: DrillContext['step'] = async (name, work) => {
    throwIfAborted(signal);
    onStep(name);
    const startedMs = performance.now();
    const facts: Facts = {};
    try {
      return await work(facts);
    } finally {
      steps.push({ name, ms: Math.round(performance.now() - startedMs), facts });
    }
  };
  return { steps, step };
}
