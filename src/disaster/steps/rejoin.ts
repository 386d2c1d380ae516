import { BackupError } from '../../core/errors.ts';
import type { StepCode, StepContext } from '../context.ts';
import { listFacts } from '../run-state.ts';
import { canWrite } from './fence.ts';
import { endpointOf, lookAt, lookUntil, plural, targetOf } from './look.ts';
import { oldPrimaries } from './salvage.ts';

/** Each old primary becomes a standby of the new one, and is let back in then. What only it has is gone after that: it was salvaged. */
export const rejoinStep: StepCode = {
  skip: (context) => (ways(context).length === 0 ? 'no way to make a standby of it is configured' : null),
  check: async (context) => {
    for (const { server } of ways(context)) if (!(await isBack(server, context))) return null;
    return said(context);
  },
  act: async (context) => {
    const primary = endpointOf(targetOf(context).address);
    for (const { server, rejoiner } of ways(context)) {
      if (await isBack(server, context)) continue;
      if ((await lookAtServer(server, context))?.role !== 'standby') {
        if (await canWrite(server, context)) throw stillOpen(server);
        context.assertHeld();
        await rejoiner.rejoin(primary, { signal: context.signal });
      }
      await letBackIn(server, context);
    }
    return said(context);
  },
};

/** Old primaries that there is a way for. */
function ways(context: StepContext) {
  return oldPrimaries(context).flatMap((server) => {
    const rejoiner = context.ports.rejoiners.get(server);
    return rejoiner === undefined ? [] : [{ server, rejoiner }];
  });
}

async function lookAtServer(address: string, context: StepContext) {
  const server = context.ports.servers.find((one) => one.address === address);
  return server === undefined ? null : (await lookAt(server, context)).state;
}

/** A standby of this system that applications may read from. */
async function isBack(address: string, context: StepContext): Promise<boolean> {
  const state = await lookAtServer(address, context);
  const own = context.run.steps.promote.facts.systemIdentifier;
  return state?.role === 'standby' && !state.isFenced && state.systemIdentifier === own;
}

async function letBackIn(address: string, context: StepContext): Promise<void> {
  const server = context.ports.servers.find((one) => one.address === address);
  const isStandby = await lookUntil(context, 4 * context.settings.probeMs, async () =>
    (await lookAtServer(address, context))?.role === 'standby' ? true : null,
  );
  if (server === undefined || isStandby !== true)
    throw new BackupError('action_failed', `${address} does not answer as a standby`, {
      hint: 'it stays fenced: look at what its log says, then resume',
    });
  await server.unfence({ signal: context.signal });
}

function said(context: StepContext) {
  const back = ways(context).map(({ server }) => server);
  const rest = oldPrimaries(context).length - back.length;
  const words = rest === 0 ? '' : `; for ${plural(rest, 'other')} no way is configured`;
  return { text: `${back.join(', ')} follows the new primary${words}`, facts: listFacts('server', back) };
}

function stillOpen(server: string): BackupError {
  return new BackupError('fence_failed', `${server} may take writes: what it took since would be erased`, {
    hint: 'fence it, then resume: salvage looks at it once more',
  });
}
