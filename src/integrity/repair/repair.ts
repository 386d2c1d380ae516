import type { Clock } from '../../core/clock.ts';
import { BackupError, type ErrorCode, isBackupError, throwIfAborted } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { RepairKind } from '../../core/finding.ts';
import type { RepairSession } from '../../core/repair.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import { writeObject } from '../../format/data-file-writer.ts';
import {
  encodeRepairRecord,
  listUnfinishedRepairs,
  type RepairRecord,
  repairRecordName,
} from '../../format/repair-record.ts';
import { isAbout, recheckSteps } from './check.ts';
import { type FactsSearch, gatherFacts, type StreamFacts } from './facts.ts';
import { gatherEvents } from './gathered-events.ts';
import {
  decideRepair,
  type EventStep,
  type FoundForRepair,
  isEventKind,
  isEventStep,
  type RepairPlan,
  type RepairStep,
  type StatementStep,
} from './plan.ts';
import type { RepairPorts, StepFailures, StepResult } from './ports.ts';

export interface PlanOptions {
  readonly found: readonly FoundForRepair[];
  readonly allowed: readonly RepairKind[] | 'all';
  readonly signal?: AbortSignal | undefined;
}

/** Looks again at what was found, and says what a repair would do. Changes nothing. */
export async function planRepair(
  { store, vault, chain }: Pick<RepairPorts, 'store' | 'vault' | 'chain'>,
  { found, allowed, signal }: PlanOptions,
): Promise<RepairPlan> {
  const repairs = found.map(({ finding }) => finding).filter(({ repair }) => repair !== null);
  const withoutIndexes = repairs.some(({ repair }) => repair === 'rebuild_index');
  const streamIds = repairs.flatMap(({ repair, streamId }) =>
    repair !== null && isEventKind(repair) && streamId !== null ? [streamId] : [],
  );
  const search = { vault, streamIds, withoutIndexes, signal };
  const { facts, notCompared } =
    chain === null ? { facts: [], notCompared: null } : await compareStreams(store, { ...search, chain });
  const backupId = chain?.at(-1)?.manifest.backupId ?? null;
  const unfinished = await listUnfinishedRepairs(vault);
  const known = { store: store.address, backupId, withoutIndexes, unfinished };
  return decideRepair({ ...known, found, facts, notCompared, allowed });
}

/** What keeps events from being compared keeps nothing else from being repaired. */
const NOT_COMPARED: readonly ErrorCode[] = [
  ...(['key_missing', 'key_wrong', 'key_refused', 'signature_invalid'] as const),
  ...(['object_archived', 'damaged', 'vault_object_missing', 'usage'] as const),
];

async function compareStreams(
  store: EventStore,
  search: FactsSearch,
): Promise<{ readonly facts: readonly StreamFacts[]; readonly notCompared: string | null }> {
  try {
    return { facts: await gatherFacts(store, search), notCompared: null };
  } catch (error) {
    if (!isBackupError(error, ...NOT_COMPARED)) throw error;
    return { facts: [], notCompared: textOf(error) };
  }
}

function textOf({ message, hint }: BackupError): string {
  return hint === null ? message : `${message}; ${hint}`;
}

export interface ApplyOptions {
  readonly software: string;
  /** Names what is being done, for people. */
  readonly onStep?: (step: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface RepairResult {
  /** As in the store's record, `eventcore_repairs`, and the vault's. Null where there was nothing to do. */
  readonly repairId: string | null;
  readonly steps: readonly StepResult[];
  /** Why the vault has no word of its end; null where it has. */
  readonly unrecorded: string | null;
}

/**
 * Carries a plan out, one transaction after the other: what is there and wrong; indexes; what is missing, by a merge; sequences and guards;
 * what speaks of the last event. All that was touched is looked at again. Whenever this dies the store is as it was before or after one of
 * these, and a new plan does the rest; the vault then has word of a repair that was begun and not of its end.
 */
export async function applyRepair(
  ports: RepairPorts,
  plan: RepairPlan,
  options: ApplyOptions,
): Promise<RepairResult> {
  if (plan.steps.length === 0) return { repairId: null, steps: [], unrecorded: null };
  const { clock, vault } = ports;
  const repairId = clock.uuid();
  const beganAt = nowText(clock);
  const of = { repairId, software: options.software, backupId: plan.backupId };
  const write = (record: RepairRecord): Promise<void> =>
    writeObject(vault, repairRecordName(record, beganAt), encodeRepairRecord(record));
  const counted = plan.steps.map((step) => ({ kind: step.kind, count: countOf(step) }));
  await write({ ...of, state: 'intended', at: beganAt, steps: counted });
  const run: RepairRun = { ports, plan, repairId, options, failures: new Map() };
  await putBack(run);
  await execute(run, stepsBy(plan, ['rebuild_index']));
  await reinstate(run);
  await execute(run, stepsBy(plan, ['advance_sequence', 'restore_guards']));
  await execute(run, await stillWrong(run, stepsBy(plan, ['clamp_checkpoint', 'drop_snapshot'])));
  options.onStep?.('looking at all of it again');
  await recheckSteps(ports, plan, run.failures, options.signal);
  const steps = plan.steps.map((step): StepResult => {
    return { step, ...(run.failures.get(step) ?? { outcome: 'repaired', reason: null }) };
  });
  const done = steps.map(({ outcome }, i) => ({ ...counted[i]!, outcome }));
  const last: RepairRecord = { ...of, state: 'done', at: nowText(clock), steps: done };
  return { repairId, steps, unrecorded: await refusalOf(() => write(last)) };
}

/** What was done is told also where the vault does not take word of it. */
async function refusalOf(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (!isBackupError(error)) throw error;
    return textOf(error);
  }
}

function countOf(step: RepairStep): number {
  return isEventStep(step) ? step.events : step.statements.length;
}

function nowText(clock: Clock): string {
  return formatTime(timeFromUnixMs(clock.now()), 3);
}

interface RepairRun {
  readonly ports: RepairPorts;
  readonly plan: RepairPlan;
  readonly repairId: string;
  readonly options: ApplyOptions;
  readonly failures: StepFailures;
}

function stepsOf(plan: RepairPlan, ...kinds: readonly RepairKind[]): EventStep[] {
  return plan.steps.filter(isEventStep).filter(({ kind }) => kinds.includes(kind));
}

/** All of it is one batch: events that were exchanged find back only together. The vault is read before the store is locked. */
async function putBack(run: RepairRun): Promise<void> {
  const { ports, plan, options } = run;
  const steps = stepsOf(plan, 'put_back_events', 'remove_copies');
  if (steps.length === 0) return;
  await attempt(run, steps, async () => {
    const { vault, chain } = ports;
    if (chain === null) throw new BackupError('internal', 'events are to be put back and there is no chain');
    options.onStep?.('reading the backup');
    const wanted = new Map<string, Set<number>>();
    for (const { streamId, versions } of steps.flatMap(({ streams }) => streams)) {
      wanted.set(streamId, new Set([...(wanted.get(streamId) ?? []), ...versions]));
    }
    const batch = await gatherEvents(vault, chain, wanted, options.signal);
    options.onStep?.('putting events back');
    await inSession(run, async (session) => {
      await session.putBack(batch, `not as in backup ${plan.backupId}`);
      return true;
    });
  });
}

async function reinstate(run: RepairRun): Promise<void> {
  const { ports, plan, options, failures } = run;
  const isBlind = plan.steps.some((step) => step.kind === 'rebuild_index' && failures.has(step));
  for (const step of stepsOf(plan, 'reinstate_events')) {
    if (isBlind) {
      const reason = 'an index was not rebuilt, and a merge looks through it';
      failures.set(step, { outcome: 'refused', reason });
      continue;
    }
    await attempt(run, [step], async () => {
      options.onStep?.('adding what is missing');
      await ports.reinstate(
        step.streams.map(({ streamId }) => streamId),
        options.signal,
      );
    });
  }
}

function stepsBy(plan: RepairPlan, kinds: readonly RepairKind[]): StatementStep[] {
  return plan.steps.filter((step): step is StatementStep => !isEventStep(step) && kinds.includes(step.kind));
}

/** What was ahead of events that were missing is not ahead of them any more. */
async function stillWrong(
  run: RepairRun,
  steps: readonly StatementStep[],
): Promise<readonly StatementStep[]> {
  if (steps.length === 0 || !run.plan.steps.some(isEventStep)) return steps;
  let left: readonly StatementStep[] = [];
  await attempt(run, steps, async () => {
    const found = await run.ports.recheck([...new Set(steps.map(({ check }) => check))]);
    left = steps.filter((step) => found.some((finding) => isAbout(finding, step)));
  });
  return left;
}

/** One that fails leaves the others standing. */
async function execute(run: RepairRun, steps: readonly StatementStep[]): Promise<void> {
  if (steps.length === 0) return;
  run.options.onStep?.('putting right what belongs to the events');
  await attempt(run, steps, () =>
    inSession(run, async (session) => {
      let done = 0;
      for (const step of steps) {
        await attempt(run, [step], async () => {
          await session.execute(step.statements, step.kind);
          done += 1;
        });
      }
      return done > 0;
    }),
  );
}

/** Published where the work says that there is something to publish. */
async function inSession(
  { ports, plan, repairId, options }: RepairRun,
  work: (session: RepairSession) => Promise<boolean>,
): Promise<void> {
  const session = await ports.store.openRepair({ repairId, withoutIndexes: plan.withoutIndexes });
  try {
    const isWorth = await work(session);
    throwIfAborted(options.signal);
    if (isWorth) await session.publish();
  } finally {
    await session.discard();
  }
}

/** What the store or its data did not allow; all else is a failure. */
const REFUSED: readonly ErrorCode[] = [
  ...(['store_refused', 'store_diverged', 'store_unsupported', 'value_not_storable'] as const),
  ...(['version_conflict', 'lease_held', 'usage'] as const),
];

/** A step that does not come about is said in the result; the others go on. */
async function attempt(
  run: RepairRun,
  steps: readonly RepairStep[],
  work: () => Promise<void>,
): Promise<void> {
  throwIfAborted(run.options.signal);
  try {
    await work();
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    const outcome = REFUSED.includes(error.code) ? 'refused' : 'failed';
    for (const step of steps) {
      if (!run.failures.has(step)) run.failures.set(step, { outcome, reason: textOf(error) });
    }
  }
}
