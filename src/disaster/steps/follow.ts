import { BackupError, isBackupError } from '../../core/errors.ts';
import type { StepContext } from '../context.ts';
import { withDeadline } from '../deadline.ts';
import { endpointOf, isRestore, type Look, lookAtAll, targetOf } from './look.ts';

/** The step that waits for them also waits for a backup, which is another matter. */
const FOLLOW_MS = 180_000;
/** How long a promotion waits for them. */
const SOON_MS = 10_000;

/**
 * Has all other standbys follow the new primary, those of its own system only: a restored store has another history. Throws when one of them
 * that could follow does not, after all were asked to.
 */
export async function followAll(
  context: StepContext,
  systemIdentifier: string,
  eachMs: number = FOLLOW_MS,
): Promise<{ readonly followed: string[] }> {
  const target = targetOf(context);
  if (target.server === null || isRestore(context)) return { followed: [] };
  const upstream = endpointOf(target.address);
  const looks = (await lookAtAll(context)).filter(
    ({ server, state }) =>
      server.address !== target.address &&
      state?.role === 'standby' &&
      state.systemIdentifier === systemIdentifier,
  );
  const results = await Promise.all(looks.map((look) => follow(look, upstream, eachMs, context)));
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

/**
 * The same as far as it goes in a short time. A primary that is to be sure of its standbys (`synchronous_standby_names`) takes no write before
 * one of them follows it, so they are asked at once; who does not is asked again when the rest is done.
 */
export async function followSoon(context: StepContext, systemIdentifier: string): Promise<void> {
  try {
    await followAll(context, systemIdentifier, SOON_MS);
  } catch (error) {
    if (!isBackupError(error) || context.signal.aborted) throw error;
  }
}

/** Null when it follows. */
async function follow(
  { server }: Look,
  upstream: { readonly host: string; readonly port: number },
  ms: number,
  { signal }: StepContext,
): Promise<string | null> {
  try {
    await withDeadline(`having ${server.address} follow`, ms, signal, (own) =>
      server.follow(upstream, { signal: own }),
    );
    return null;
  } catch (error) {
    if (!isBackupError(error) || signal.aborted) throw error;
    return `${server.address}: ${error.message}`;
  }
}
