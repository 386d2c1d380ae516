import { BackupError, isBackupError } from '../../core/errors.ts';
import type { StepCode, StepContext } from '../context.ts';
import { withDeadline } from '../deadline.ts';
import { listFacts } from '../run-state.ts';
import { endpointOf, isRestore, type Look, lookAtAll, plural, targetOf } from './look.ts';

/** Backup and log of what is written from now on, and the other standbys behind the new primary. */
export const reprotectStep: StepCode = {
  check: async () => null,
  act: async (context) => {
    const { plan, ports, signal } = context;
    const { address: store } = targetOf(context);
    // Both at the same time: a backup may take hours, and a standby that follows nobody protects nobody.
    const [protection, following] = await Promise.allSettled([
      ports.protector.protect({ store, vault: plan.journalVault }, { signal }),
      followAll(context),
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

/** Throws when one of them that could follow does not, after all were asked to. */
async function followAll(context: StepContext): Promise<{ readonly followed: string[] }> {
  const target = targetOf(context);
  if (target.server === null || isRestore(context)) return { followed: [] };
  const upstream = endpointOf(target.address);
  const looks = (await lookAtAll(context)).filter((look) => couldFollow(look, context));
  const results = await Promise.all(looks.map((look) => follow(look, upstream, context)));
  const failed = results.filter((message) => message !== null);
  if (failed.length === 0) return { followed: looks.map(({ server }) => server.address) };
  throw new BackupError(
    'action_failed',
    `standbys that do not follow the new primary: ${failed.join('; ')}`,
    {
      hint: 'one that has more of the old timeline than the new primary began with must be made anew',
    },
  );
}

/** A restored store has another history: standbys of the old one cannot follow it. */
function couldFollow({ server, state }: Look, context: StepContext): boolean {
  const own = context.run.steps.promote.facts.systemIdentifier;
  return (
    server.address !== targetOf(context).address &&
    state?.role === 'standby' &&
    state.systemIdentifier === own
  );
}

/** The step as a whole waits for a backup, which is another matter. */
const FOLLOW_MS = 180_000;

/** Null when it follows. */
async function follow(
  { server }: Look,
  upstream: { readonly host: string; readonly port: number },
  { signal }: StepContext,
): Promise<string | null> {
  try {
    await withDeadline(`having ${server.address} follow`, FOLLOW_MS, signal, (own) =>
      server.follow(upstream, { signal: own }),
    );
    return null;
  } catch (error) {
    if (!isBackupError(error) || signal.aborted) throw error;
    return `${server.address}: ${error.message}`;
  }
}
