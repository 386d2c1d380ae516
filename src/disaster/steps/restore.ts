import { BackupError } from '../../core/errors.ts';
import type { StepCode } from '../context.ts';
import { textFact } from '../run-state.ts';
import { lookAt, targetOf } from './look.ts';
import { recordPrimaryOf } from './record-primary.ts';
import { sourcesOf } from './sources.ts';

/** Backups and log into the place that was empty when this began: what is there after a death is this run's own. */
export const restoreStep: StepCode = {
  prepare: async (context) => {
    const { address } = targetOf(context);
    const reason = await context.ports.restorer.refuse(address, { signal: context.signal });
    if (reason === null) return { to: address, isEmpty: true };
    throw new BackupError('target_not_empty', `${address} cannot be restored to: ${reason}`, {
      hint: 'nothing that is there is removed: empty it, or name another place as `restore_to` and make a new plan',
    });
  },
  // What is in a place does not say whether it is all.
  check: async () => null,
  act: async (context) => {
    const { plan, run, ports, signal } = context;
    const { address, server } = targetOf(context);
    const { intent, attempts } = run.steps.restore;
    if (textFact(intent ?? {}, 'to') !== address) throw otherPlace(address);
    const request = {
      ...{ planId: plan.planId, to: address, at: plan.recoverTo, vaults: await sourcesOf(context) },
      isAgain: attempts > 1,
    };
    const facts = await ports.restorer.restore(request, { signal });
    const state = server === null ? null : (await lookAt(server, context)).state;
    await recordPrimaryOf(context, state);
    return {
      text: `the events are in ${address}, ${plan.recoverTo === null ? 'up to the newest point' : `as of ${plan.recoverTo}`}`,
      facts: { ...facts, server: address },
    };
  },
};

function otherPlace(address: string): BackupError {
  return new BackupError('recovery_stopped', `${address} is not the place that this run found empty`, {
    hint: 'carry the run on where the configuration names the same place, or make a new plan',
  });
}
