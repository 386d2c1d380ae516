import { BackupError, isBackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { Finding, RepairKind } from '../../core/finding.ts';
import type { Chain } from '../../format/chain.ts';
import { runChecks } from '../../integrity/checks/run.ts';
import type { SeenFinding } from '../../integrity/monitor/monitor.ts';
import { newestChain } from '../../integrity/monitor/newest-chain.ts';
import { isEventKind, type RepairPlan } from '../../integrity/repair/plan.ts';
import { applyRepair, planRepair, type RepairResult } from '../../integrity/repair/repair.ts';
import { beginStep, type CommandContext, withStore } from '../context.ts';
import { lookOptions, type MonitorWork } from './ports.ts';
import { repairPorts } from './repair-ports.ts';

export interface Repair {
  readonly plan: RepairPlan;
  /** Null where it was only planned. */
  readonly result: RepairResult | null;
}

export interface RepairRequest {
  readonly findings: readonly SeenFinding[];
  readonly allowed: readonly RepairKind[] | 'all';
  readonly applies: boolean;
}

/** Plans what can be done about findings, and does it where that is asked for. */
export async function repairFindings(
  context: CommandContext,
  work: MonitorWork,
  { findings, allowed, applies }: RepairRequest,
): Promise<Repair> {
  const { vault } = work;
  const { signal, software } = context;
  const needsEvents = findings.some(({ repair }) => repair !== null && isEventKind(repair));
  // What needs no backup is repaired without its keys.
  const chain = needsEvents ? await chainOf(work) : null;
  return withStore(work.storeAddress, async (store) => {
    beginStep(context, 'planning the repair');
    const found = findings.map((finding) => ({ finding, statements: finding.statements ?? [] }));
    const plan = await planRepair({ store, vault, chain }, { found, allowed, signal });
    if (!applies) return { plan, result: null };
    const ports = repairPorts(store, vault, chain, (checks) => recheck(work, store, checks, signal));
    const onStep = (step: string): void => beginStep(context, step);
    return { plan, result: await applyRepair(ports, plan, { software, onStep, signal }) };
  });
}

/** Null where there is no backup: what needs none is repaired all the same, and of what does it is said why not. */
async function chainOf({ vault, keys }: MonitorWork): Promise<Chain | null> {
  try {
    return await newestChain(vault, keys);
  } catch (error) {
    if (isBackupError(error, 'no_backups', 'no_restore_point')) return null;
    throw error;
  }
}

/** All of the store, since a repair may have touched any of it. */
async function recheck(
  { settings, checks }: MonitorWork,
  store: EventStore,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { statementTimeoutMs, clockToleranceMs, requiredMetadata } = lookOptions(settings);
  const inspection = await store.openInspection({ statementTimeoutMs });
  if (inspection === null) return [];
  try {
    const wanted = checks.filter(({ name }) => names.includes(name));
    const report = await runChecks(inspection, wanted, {
      settings: { sample: null, clockToleranceMs, requiredMetadata, known: () => null },
      signal,
    });
    const failed = report.checks.find(({ state }) => state === 'failed');
    if (failed === undefined) return report.checks.flatMap(({ findings }) => findings);
    throw new BackupError('check_refused', `${failed.name}: ${failed.reason}`);
  } finally {
    await inspection.close();
  }
}

export function repairDocument({ plan, result }: Repair): Record<string, unknown> {
  const { steps, refusals, onlyLive, backupId } = plan;
  const done =
    result?.steps.map(({ step: { kind }, outcome, reason }) => ({ kind, outcome, reason })) ?? null;
  return { backupId, steps, refusals, onlyLive, repairId: result?.repairId ?? null, done };
}

/** Whether something was put right, so that looking again is worth it. */
export function hasRepaired({ result }: Repair): boolean {
  return result?.steps.some(({ outcome }) => outcome === 'repaired') ?? false;
}
