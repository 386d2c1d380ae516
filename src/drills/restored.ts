import type { RestoreMeasurement } from '../core/drill.ts';
import type { DrillTarget } from '../core/drill-target.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import type { Chain } from '../format/chain.ts';
import type { RecoveryPlan } from '../recovery/plan-recovery.ts';
import { restoreBackup } from '../recovery/restore.ts';
import { readOnlyVault } from '../vaults/wrappers/read-only.ts';
import type { DrillContext } from './context.ts';

/** Where a test restores from. The chain is open. */
export interface RestoreSource {
  readonly region: string;
  readonly vault: Vault;
  readonly chain: Chain;
  readonly recovery: RecoveryPlan | null;
  /** From `performance.now()`: when it was decided to restore. */
  readonly decidedMs: number;
}

/** A store that was restored for a test. */
export interface RestoredStore {
  readonly target: DrillTarget;
  readonly source: RestoreSource;
  readonly events: number;
  readonly streams: number;
}

/** Runs `work` on a target; a test that fails may leave it for people to look at. */
export async function withTarget<Result>(
  context: DrillContext,
  work: (target: DrillTarget) => Promise<Result>,
): Promise<Result> {
  const { settings, targets, note } = context;
  const target = await context.step('make a target', async (facts) => {
    facts.kind = targets.kind;
    return targets.create();
  });
  try {
    const result = await work(target);
    if (!settings.cleanup) await tidy(context, async () => note(`kept: ${await target.keep()}`));
    return result;
  } catch (error) {
    const isKept = settings.keepOnFailure || !settings.cleanup;
    if (isKept && !isBackupError(error, 'interrupted'))
      await tidy(context, async () => note(`kept of ${context.test}, which failed: ${await target.keep()}`));
    throw error;
  } finally {
    await tidy(context, () => target.remove());
  }
}

/** What cannot be tidied up is no failure of the test: the next drill finds it. */
async function tidy({ note, test }: DrillContext, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    note(`${test}: its target could not be tidied up: ${why}`);
  }
}

/** Restores a chain, or a point, into a target, and lets `judge` look at it. */
export async function withRestored(
  context: DrillContext,
  source: RestoreSource,
  judge: (restored: RestoredStore) => Promise<void>,
): Promise<void> {
  await requireRoom(context, plainBytesOf(source));
  await withTarget(context, async (target) => {
    const restored = await context.step('restore', (facts) => restore(context, source, target, facts));
    await judge(restored);
  });
}

function plainBytesOf({ chain, recovery }: RestoreSource): number {
  const logBytes = recovery?.log?.measured.bytes ?? 0;
  return chain.reduce((sum, { manifest }) => sum + manifest.plainBytes, logBytes);
}

/** A database has indexes, and pages that are not full. */
const ROOM_FACTOR = 2;
const ROOM_AT_LEAST_BYTES = 8 << 20;

export async function requireRoom(context: DrillContext, plainBytes: number): Promise<void> {
  const free = await context.targets.freeBytes();
  const needed = Math.max(ROOM_AT_LEAST_BYTES, plainBytes * ROOM_FACTOR);
  if (free === null || free >= needed) return;
  throw new BackupError(
    'store_refused',
    `there is no room to restore: about ${needed} bytes are needed, ${free} are free`,
    { hint: 'name a target with more room: drill.target, or --target', facts: { needed, free } },
  );
}

async function restore(
  context: DrillContext,
  source: RestoreSource,
  target: DrillTarget,
  facts: Record<string, string | number | boolean | null>,
): Promise<RestoredStore> {
  const { settings, clock, signal } = context;
  const { chain, recovery, region } = source;
  // A drill takes nothing back: it leaves no epoch record, nor anything else.
  const vault = readOnlyVault(source.vault);
  const phases = phaseNotes();
  const startedMs = performance.now();
  const report = await restoreBackup(
    {
      ...{ target: target.store, vault, clock },
      ...context.loadRunner?.(target.address, source.vault, chain),
    },
    chain,
    {
      ...{ replace: false, checkpoints: 'clamp', parallel: settings.parallel, signal },
      // What is judged is the backup, in a store that no application sees.
      envelopes: 'keep',
      ...(recovery === null ? {} : { recovery }),
      onStep: phases.begin,
    },
  );
  const restoreMs = Math.round(performance.now() - source.decidedMs);
  const { eventsRestored: events, streamsRestored: streams } = report;
  const seconds = Math.max(0.001, (performance.now() - startedMs) / 1000);
  const measurement: RestoreMeasurement = {
    ...{ test: context.test, region, backupId: report.plan.backupId, restoreMs, events },
    phases: [
      { name: 'planning', ms: Math.round(startedMs - source.decidedMs) },
      ...phases.end().filter(({ name }) => name !== 'recording what was taken back'),
    ],
    bytes: plainBytesOf(source),
    eventsPerSecond: Math.round(events / seconds),
  };
  context.measure(measurement);
  const { backupId, eventsPerSecond } = measurement;
  Object.assign(facts, { region, backupId, events, streams, restoreMs, eventsPerSecond });
  return { target, source, events, streams };
}

/** How long each step of a restore took. */
function phaseNotes(): {
  readonly begin: (name: string) => void;
  readonly end: () => { name: string; ms: number }[];
} {
  const phases: { name: string; ms: number }[] = [];
  let begunMs = performance.now();
  let current = 'preparing the target';
  const begin = (name: string): void => {
    phases.push({ name: current, ms: Math.round(performance.now() - begunMs) });
    begunMs = performance.now();
    current = name;
  };
  return {
    begin,
    end: () => {
      begin('');
      return phases;
    },
  };
}
