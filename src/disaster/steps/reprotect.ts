import type { StepCode } from '../context.ts';
import { listFacts } from '../run-state.ts';
import { followAll } from './follow.ts';
import { plural, targetOf } from './look.ts';

/** Backup and log of what is written from now on, and the other standbys behind the new primary. */
export const reprotectStep: StepCode = {
  check: async () => null,
  act: async (context) => {
    const { plan, ports, signal } = context;
    const { address: store } = targetOf(context);
    // Both at the same time: a backup may take hours, and a standby that follows nobody protects nobody.
    const [protection, following] = await Promise.allSettled([
      ports.protector.protect({ store, vault: plan.journalVault }, { signal }),
      followAll(context, String(context.run.steps.promote.facts.systemIdentifier)),
    ]);
    if (protection.status === 'rejected') throw protection.reason;
    if (following.status === 'rejected') throw following.reason;
    const { followed } = following.value;
    return {
      text: `backup and log run in ${plan.journalVault}; ${plural(followed.length, 'standby', 'standbys')} follow ${store}`,
      facts: { ...protection.value, ...listFacts('standby', followed) },
    };
  },
};
