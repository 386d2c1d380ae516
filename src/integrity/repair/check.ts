import { isBackupError } from '../../core/errors.ts';
import type { Finding } from '../../core/finding.ts';
import { gatherFacts, type StreamFacts } from './facts.ts';
import { type EventKind, type EventStep, isEventStep, type RepairPlan, type StatementStep } from './plan.ts';
import type { RepairPorts, StepFailures } from './ports.ts';

/** Looks again at all that was touched: a step whose damage is still there has failed. */
export async function recheckSteps(
  ports: Pick<RepairPorts, 'store' | 'vault' | 'chain' | 'recheck'>,
  plan: RepairPlan,
  failures: StepFailures,
  signal: AbortSignal | undefined,
): Promise<void> {
  const steps = plan.steps.filter((step) => !failures.has(step));
  const events = steps.filter(isEventStep);
  await noting(failures, events, () =>
    recheckEvents(ports, { steps: events, withoutIndexes: plan.withoutIndexes }, failures, signal),
  );
  const statements = steps.filter((step): step is StatementStep => !isEventStep(step));
  await noting(failures, statements, async () => {
    const still = await ports.recheck([...new Set(statements.map(({ check }) => check))]);
    for (const step of statements) {
      const left = still.find((finding) => isAbout(finding, step));
      if (left !== undefined)
        failures.set(step, { outcome: 'failed', reason: `it is still there: ${left.message}` });
    }
  });
}

export function isAbout({ check, object }: Finding, step: StatementStep): boolean {
  return check === step.check && object === step.object;
}

/** What cannot be looked at again is not called repaired. */
async function noting(
  failures: StepFailures,
  steps: readonly (EventStep | StatementStep)[],
  work: () => Promise<void>,
): Promise<void> {
  if (steps.length === 0) return;
  try {
    await work();
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    const reason = `it was done, and could not be looked at again: ${error.message}`;
    for (const step of steps) failures.set(step, { outcome: 'failed', reason });
  }
}

async function recheckEvents(
  { store, vault, chain }: Pick<RepairPorts, 'store' | 'vault' | 'chain'>,
  { steps, withoutIndexes }: { readonly steps: readonly EventStep[]; readonly withoutIndexes: boolean },
  failures: StepFailures,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (chain === null) return;
  const streamIds = steps.flatMap(({ streams }) => streams.map(({ streamId }) => streamId));
  const facts = await gatherFacts(store, { vault, chain, streamIds, withoutIndexes, signal });
  const byStream = new Map(facts.map((of) => [of.streamId, of]));
  for (const step of steps) {
    const left = step.streams.reduce((sum, { streamId, versions }) => {
      const wrong = new Set(wrongOf(step.kind, byStream.get(streamId)!));
      return sum + versions.filter((version) => wrong.has(version)).length;
    }, 0);
    if (left === 0) continue;
    failures.set(step, { outcome: 'failed', reason: `${left} of its events are still not as in the backup` });
  }
}

function wrongOf(kind: EventKind, { changed, copied, absent, diverged }: StreamFacts): readonly number[] {
  if (kind === 'reinstate_events') return absent;
  return kind === 'remove_copies' ? copied : [...changed, ...absent, ...diverged];
}
