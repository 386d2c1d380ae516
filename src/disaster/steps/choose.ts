import type { Candidate, Observation } from '../../core/disaster.ts';
import { RECOVERY_RISKS } from '../../core/disaster.ts';
import { BackupError } from '../../core/errors.ts';
import { chooseCandidate, findCandidates, judgeAtRest } from '../candidates.ts';
import type { StepCode, StepContext, StepResult } from '../context.ts';
import { isBegun, textFact } from '../run-state.ts';
import { findLastSeen, lossFacts } from './last-seen.ts';
import { type Look, lookAtAll } from './look.ts';

/** The standby that takes over, by what all have now that nothing more arrives. */
export const chooseStep: StepCode = {
  /** Only of one that was chosen before: whether it still is the one. */
  check: async (context) => {
    const before = textFact(context.run.steps.choose.facts, 'server');
    if (before === null) return null;
    const choice = await choose(context);
    return choice.facts.server === before ? choice : null;
  },
  act: choose,
  isPerishable: ({ run }) => !isBegun(run.steps.promote),
};

/** Throws `recovery_refused` where only the bound stands in the way, and `recovery_stopped` where something else does. */
async function choose(context: StepContext): Promise<StepResult> {
  const { plan, settings, accepted } = context;
  const looks = await lookAtAll(context);
  const seen = await findLastSeen(context);
  const candidates = findCandidates(looks.map(observe), { ...plan.primary, lastPosition: seen.position });
  const preference = { region: plan.target.region, primaryRegion: plan.primary.region };
  const judged = judgeAtRest(candidates, { maxLossBytes: boundOf(context) });
  const found = chooseCandidate(judged, preference);
  if (found !== null) return said(found, lossFacts(found, looks, seen, context));
  const unbound = chooseCandidate(judgeAtRest(candidates, { maxLossBytes: null }), preference);
  const isOnlyBound = unbound !== null && plan.strategy.kind !== 'switchover' && !accepted.has('data_loss');
  throw isOnlyBound
    ? tooMuchLost(judged, unbound, settings.maxLossBytes)
    : nobody(judged, plan.target.region);
}

/** A switchover loses nothing, whatever was accepted. */
function boundOf({ plan, settings, accepted }: StepContext): bigint | null {
  if (plan.strategy.kind === 'switchover') return 0n;
  return accepted.has('data_loss') ? null : settings.maxLossBytes;
}

function observe({ server, state, reason }: Look): Observation {
  return {
    ...{ vantage: 'here', region: server.region, server: server.address, ms: 0 },
    outcome: state === null ? 'unreachable' : 'answered',
    state,
    reason: state === null ? reason : null,
  };
}

function said({ server, region, state, behindBytes }: Candidate, loss: StepResult['facts']): StepResult {
  const lacks =
    behindBytes === null
      ? 'nobody knows how much it lacks'
      : `it lacks ${behindBytes} bytes of what was seen`;
  return {
    text: `${server} takes over, at ${state.position} of timeline ${state.timeline}: ${lacks}`,
    facts: { server, region, position: state.position, timeline: state.timeline, ...loss },
  };
}

function tooMuchLost(judged: readonly Candidate[], best: Candidate, bound: bigint | null): BackupError {
  const flag = RECOVERY_RISKS.data_loss;
  return new BackupError(
    'recovery_refused',
    `${best.server} cannot take over without a loss that nobody has accepted: ${wordsOf(judged)}`,
    {
      hint: `bring what is missing to a standby, or accept the loss with ${flag} when you resume`,
      facts: { flag, lossBytes: best.behindBytes, maxLossBytes: bound === null ? null : String(bound) },
    },
  );
}

function nobody(judged: readonly Candidate[], region: string): BackupError {
  return new BackupError(
    'recovery_stopped',
    `no standby of region ${region} may take over: ${wordsOf(judged)}`,
    { hint: 'put right what stands in the way and resume, or give this run up and make another plan' },
  );
}

function wordsOf(judged: readonly Candidate[]): string {
  const words = judged.map(
    ({ server, region, refusals }) => `${server} (${refusals.join('; ') || `it is of region ${region}`})`,
  );
  return words.join(', ') || 'none answers';
}
