import type { JournalEntry, RecoveryOutcome, RecoveryPlan, RecoveryRisk } from '../../src/core/disaster.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { RecoverySettings } from '../../src/disaster/context.ts';
import { beginRun, resumeRun } from '../../src/disaster/execute.ts';
import { KILLED, type Process, startProcess, TEST_SETTINGS } from './process.ts';
import { passTime, type World } from './world.ts';

export interface DriveOptions {
  readonly accept?: readonly RecoveryRisk[];
  readonly settings?: Partial<RecoverySettings>;
  readonly onEntry?: (entry: JournalEntry) => void;
  readonly signal?: AbortSignal;
}

export function begin(
  process: Process,
  { planId }: Pick<RecoveryPlan, 'planId'>,
  options: DriveOptions = {},
): Promise<RecoveryOutcome> {
  return beginRun(requestOf(process, options), planId, { accept: options.accept ?? [] });
}

export function resume(
  process: Process,
  { planId }: Pick<RecoveryPlan, 'planId'>,
  options: DriveOptions = {},
): Promise<RecoveryOutcome> {
  return resumeRun(requestOf(process, options), planId, { accept: options.accept ?? [] });
}

export function requestOf({ ports }: Process, { settings, onEntry, signal }: DriveOptions = {}) {
  return {
    ...{ ports, settings: { ...TEST_SETTINGS, ...settings } },
    ...(onEntry === undefined ? {} : { onEntry }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** Whether work ended by the death of its process. */
export async function diesOf(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return false;
  } catch (error) {
    if (error instanceof Error && error.message === KILLED) return true;
    throw error;
  }
}

/** Has one process after the other carry on until the run ends, each killed at the moment given. Null: never was. */
export async function driveWithKills(
  world: World,
  plan: RecoveryPlan,
  kills: readonly number[],
  options: DriveOptions = {},
): Promise<RecoveryOutcome> {
  for (const killAt of kills) {
    const died = await diesOf(carryOn(startProcess(world, killAt), plan, options));
    if (!died) break;
    // Until its leases have ended.
    passTime(world);
  }
  return carryOn(startProcess(world), plan, options);
}

/** As an operator would who does not know how far it is. */
async function carryOn(
  process: Process,
  plan: RecoveryPlan,
  options: DriveOptions,
): Promise<RecoveryOutcome> {
  const settings = { ...options.settings, maxPlanAgeMs: Number.POSITIVE_INFINITY };
  try {
    return await resume(process, plan, { ...options, settings });
  } catch (error) {
    if (!isBackupError(error, 'usage')) throw error;
    return begin(process, plan, { ...options, settings });
  }
}
