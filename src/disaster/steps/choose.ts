import type { Candidate, Observation } from '../../core/disaster.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { readNewestSamples } from '../../format/disaster-sample.ts';
import { chooseCandidate, findCandidates, judgeAtRest } from '../candidates.ts';
import type { StepCode, StepContext, StepResult } from '../context.ts';
import { withDeadline } from '../deadline.ts';
import { greatestPosition } from '../lsn.ts';
import { isBegun, textFact } from '../run-state.ts';
import { lookAtAll } from './look.ts';

/** The standby that takes over, by what all have now that nothing more arrives. */
export const chooseStep: StepCode = {
  /** Only of one that was chosen before: whether it still is the one. */
  check: async (context) => {
    const before = textFact(context.run.steps.choose.facts, 'server');
    if (before === null) return null;
    const choice = await choose(context);
    return choice.server === before ? said(choice, context) : null;
  },
  act: async (context) => said(await choose(context), context),
  isPerishable: ({ run }) => !isBegun(run.steps.promote),
};

/** Throws `recovery_refused` where only the bound stands in the way, and `recovery_stopped` where something else does. */
async function choose(context: StepContext): Promise<Candidate> {
  const { plan, settings, accepted } = context;
  const primary = { ...plan.primary, lastPosition: await lastPosition(context) };
  const candidates = findCandidates(await observe(context), primary);
  const preference = { region: plan.target.region, primaryRegion: plan.primary.region };
  const bound = boundOf(context);
  const judged = judgeAtRest(candidates, { maxLossBytes: bound });
  const found = chooseCandidate(judged, preference);
  if (found !== null) return found;
  const unbound = chooseCandidate(judgeAtRest(candidates, { maxLossBytes: null }), preference);
  const isBound = bound !== null && unbound !== null && plan.strategy.kind !== 'switchover';
  throw isBound && !accepted.has('data_loss')
    ? tooMuchLost(judged, unbound, settings.maxLossBytes)
    : nobody(judged, plan.target.region);
}

/** A switchover loses nothing, whatever was accepted. */
function boundOf({ plan, settings, accepted }: StepContext): bigint | null {
  if (plan.strategy.kind === 'switchover') return 0n;
  return accepted.has('data_loss') ? null : settings.maxLossBytes;
}

async function observe(context: StepContext): Promise<Observation[]> {
  return (await lookAtAll(context)).map(({ server, state, reason }) => ({
    ...{ vantage: 'here', region: server.region, server: server.address, ms: 0 },
    outcome: state === null ? 'unreachable' : 'answered',
    state,
    reason: state === null ? reason : null,
  }));
}

/** The greatest one that anybody has seen of the primary: by the plan, by samples since, or by itself behind its fence. */
async function lastPosition(context: StepContext): Promise<string | null> {
  const { plan, run, vaults } = context;
  const { server, systemIdentifier, timeline, lastPosition } = plan.primary;
  const end = textFact(run.steps.drain.facts, 'endPosition');
  // Behind its fence it says exactly where it ends.
  if (end !== null) return end;
  const sampled = await Promise.all(vaults.map(({ vault }) => samplesOf(vault, context)));
  const own = sampled.flat().filter((sample) => {
    const isSame = sample.systemIdentifier === systemIdentifier && sample.timeline === timeline;
    return isSame && sample.server === server;
  });
  return greatestPosition([
    ...(lastPosition === null ? [] : [lastPosition]),
    ...own.map(({ position }) => position),
  ]);
}

/** Of each server, the newest ones are the furthest. */
const SAMPLES = 3;

async function samplesOf(vault: StepContext['vaults'][number]['vault'], { settings, signal }: StepContext) {
  try {
    return await withDeadline(`reading samples of ${vault.address}`, 4 * settings.probeMs, signal, () =>
      readNewestSamples(vault, SAMPLES),
    );
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    return [];
  }
}

function said({ server, region, state, behindBytes }: Candidate, { plan }: StepContext): StepResult {
  const missing = behindBytes === null ? 'nobody knows how much it lacks' : `it lacks ${behindBytes} bytes`;
  return {
    text: `${server} takes over, at ${state.position} of timeline ${state.timeline}: ${missing} of what was seen of the primary`,
    facts: {
      ...{ server, region, position: state.position, timeline: state.timeline, lossBytes: behindBytes },
      sampleAgeMs: plan.estimatedDataLoss.sampleAgeMs,
    },
  };
}

function tooMuchLost(judged: readonly Candidate[], best: Candidate, bound: bigint | null): BackupError {
  const flag = '--accept-data-loss';
  const lacks = best.behindBytes === null ? 'nobody knows how much' : `${best.behindBytes} bytes`;
  return new BackupError(
    'recovery_refused',
    `${best.server} lacks ${lacks} of the primary's log, and ${bound} bytes may be lost: ${wordsOf(judged)}`,
    {
      hint: `get what is missing to a standby, or accept the loss with ${flag} when you resume`,
      facts: { flag, lossBytes: best.behindBytes },
    },
  );
}

function nobody(judged: readonly Candidate[], region: string): BackupError {
  return new BackupError(
    'recovery_stopped',
    `no standby of region ${region} may take over: ${wordsOf(judged)}`,
    {
      hint: 'put right what stands in the way and resume, or give this run up and make another plan',
    },
  );
}

function wordsOf(judged: readonly Candidate[]): string {
  const words = judged.map(
    ({ server, region, refusals }) => `${server} (${refusals.join('; ') || `of region ${region}`})`,
  );
  return words.join(', ') || 'none answers';
}
