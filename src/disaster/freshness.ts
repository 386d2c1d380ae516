import { BackupError } from '../core/errors.ts';
import { contextOf, type Session, signalOf } from './session.ts';
import { lookAtAll } from './steps/look.ts';
import { NEEDS_INSTANT } from './strategy-table.ts';

/**
 * Throws `plan_outdated` when servers say now what the plan did not know: a primary of a newer timeline; for a switchover, no primary where it
 * was; else one that was dead and takes writes again: nothing may be lost at all, and a standby or a backup would lose what it has. Where the
 * events are damaged it is to be replaced all the same.
 */
export async function refuseChanged(session: Session): Promise<void> {
  const { primary, strategy, trigger, planId } = session.plan.plan;
  const looks = await lookAtAll(contextOf(session, signalOf(session)));
  const primaries = looks.filter(({ state }) => state?.role === 'primary');
  const newer = primaries.find(({ server, state }) => {
    const isOwn = state!.systemIdentifier === primary.systemIdentifier;
    return isOwn && server.address !== primary.server && state!.timeline > (primary.timeline ?? Infinity);
  });
  if (newer !== undefined)
    throw changed(planId, `${newer.server.address} is a primary on timeline ${newer.state!.timeline}`);
  const back = primaries.find(({ server, state }) => server.address === primary.server && !state!.isFenced);
  if (back !== undefined && primary.state === 'dead' && !NEEDS_INSTANT[trigger])
    throw changed(planId, `${back.server.address} was dead, and is a primary that lets applications in`);
  if (strategy.kind !== 'switchover') return;
  if (!primaries.some(({ server }) => server.address === primary.server))
    throw changed(
      planId,
      `${primary.server ?? 'nobody'} does not answer as the primary, which a switchover needs`,
    );
}

function changed(planId: string, what: string): BackupError {
  return new BackupError('plan_outdated', `since the plan was made: ${what}`, {
    hint: 'assess anew and make a new plan',
    facts: { planId },
  });
}
