import type { ServerState } from '../../core/disaster.ts';
import type { Promotion, RegionServer } from '../../core/disaster-ports.ts';
import { BackupError } from '../../core/errors.ts';
import type { StepCode, StepContext, StepResult } from '../context.ts';
import { assertFenced } from './fence.ts';
import { followSoon } from './follow.ts';
import { lookAt, probe, targetOf } from './look.ts';
import { isRecorded, recordPrimaryOf } from './record-primary.ts';

/** The chosen standby becomes the primary, when nobody else can write any longer. */
export const promoteStep: StepCode = {
  check: async (context) => {
    const server = serverOf(context);
    const { state } = await lookAt(server, context);
    if (state?.role !== 'primary' || state.isFenced || !(await isRecorded(context))) return null;
    assertOurs(state, server, context);
    return said(server, state, await server.promote({ signal: context.signal }));
  },
  act: async (context) => {
    const server = serverOf(context);
    const call = { signal: context.signal };
    const before = await probe(server, context);
    assertOurs(before, server, context);
    if (before.role === 'standby') {
      await assertFenced(context);
      context.assertHeld();
    }
    const promotion = await server.promote(call);
    const state = await probe(server, context);
    if (state.role !== 'primary')
      throw new BackupError('action_failed', `${server.address} is still a standby after its promotion`);
    // It may have been a primary that was fenced, before it became a standby.
    if (state.isFenced) await server.unfence(call);
    // Before the promotion is on record: a run that dies here comes by again.
    await followSoon(context, state.systemIdentifier);
    await recordPrimaryOf(context, { ...state, timeline: promotion.timeline });
    return said(server, state, promotion);
  },
};

function serverOf(context: StepContext): RegionServer {
  const { server } = targetOf(context);
  if (server !== null) return server;
  throw new BackupError('internal', 'a promotion of no server');
}

function said(server: RegionServer, state: ServerState, { timeline, forkLsn }: Promotion): StepResult {
  const fork = forkLsn === null ? '' : `, which left the old one at ${forkLsn}`;
  return {
    text: `${server.address} is the primary, on timeline ${timeline}${fork}`,
    facts: { server: server.address, systemIdentifier: state.systemIdentifier, timeline, forkLsn },
  };
}

function assertOurs({ systemIdentifier }: ServerState, server: RegionServer, { plan }: StepContext): void {
  const wanted = plan.primary.systemIdentifier;
  if (wanted === null || wanted === systemIdentifier) return;
  throw new BackupError(
    'recovery_stopped',
    `${server.address} is of another system than the primary was: ${systemIdentifier}`,
    {
      hint: `the primary's system identifier was ${wanted}: assess anew and make a new plan`,
    },
  );
}
