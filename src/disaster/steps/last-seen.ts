import type { Candidate, DataLossEstimate, PositionSample, StepFacts } from '../../core/disaster.ts';
import { isBackupError } from '../../core/errors.ts';
import type { Vault } from '../../core/vault.ts';
import { readNewestSamples } from '../../format/disaster-sample.ts';
import type { StepContext } from '../context.ts';
import { withDeadline } from '../deadline.ts';
import { lossOfStandby } from '../loss.ts';
import { greatestPosition } from '../lsn.ts';
import { textFact } from '../run-state.ts';
import type { Look } from './look.ts';

/** What is known of where the old primary's log ends. */
export interface LastSeen {
  /** The greatest one that anybody has seen: by itself behind its fence, by the plan, or by samples since. */
  readonly position: string | null;
  readonly samples: readonly PositionSample[];
}

/** Of each server, the newest ones are the furthest; some of them say how fast it was. */
const SAMPLES = 12;

export async function findLastSeen(context: StepContext): Promise<LastSeen> {
  const { plan, run, vaults } = context;
  const { server, systemIdentifier, timeline, lastPosition } = plan.primary;
  const found = await Promise.all(vaults.map(({ vault }) => samplesOf(vault, context)));
  const samples = found.flat().filter((sample) => {
    const isSame = sample.systemIdentifier === systemIdentifier && sample.timeline === timeline;
    return isSame && sample.server === server;
  });
  const end = textFact(run.steps.drain.facts, 'endPosition');
  if (end !== null) return { position: end, samples };
  const positions = samples.map(({ position }) => position);
  return {
    position: greatestPosition(lastPosition === null ? positions : [lastPosition, ...positions]),
    samples,
  };
}

async function samplesOf(vault: Vault, { settings, signal }: StepContext): Promise<PositionSample[]> {
  try {
    return await withDeadline(`reading samples of ${vault.address}`, 4 * settings.probeMs, signal, () =>
      readNewestSamples(vault, SAMPLES),
    );
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    return [];
  }
}

/** What is lost when this one takes over, as facts of the choice. */
export function lossFacts(
  candidate: Candidate,
  looks: readonly Look[],
  { position, samples }: LastSeen,
  { plan, ports }: StepContext,
): StepFacts {
  const old = looks.find(({ server }) => server.address === plan.primary.server)?.state ?? null;
  const loss: DataLossEstimate = lossOfStandby(
    {
      ...{ nowMs: ports.clock.now(), samples, lastHeardMs: null },
      primary: { ...plan.primary, lastPosition: position },
      primaryState: old?.role === 'primary' ? old : null,
    },
    candidate,
  );
  return {
    ...{ lossBytes: loss.bytes, lossEvents: loss.events, lossMs: loss.timeMs },
    ...{ sampleAgeMs: loss.sampleAgeMs, lossBasis: loss.basis },
  };
}
