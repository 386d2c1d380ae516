import type { StepFacts } from '../../core/disaster.ts';
import { BackupError } from '../../core/errors.ts';
import type { StepCode, StepContext, StepResult } from '../context.ts';
import { bytesBetween } from '../lsn.ts';
import { readListFacts } from '../run-state.ts';
import { assertFenced } from './fence.ts';
import { isRestore, type Look, lookAtAll, lookUntil, plural } from './look.ts';
import { sourcesOf } from './sources.ts';

/** What is on its way arrives, before anybody is chosen by what has arrived. Bounded, but for a switchover: that loses nothing, or is not made. */
export const drainStep: StepCode = {
  check: async () => null,
  act: async (context) => {
    if (isRestore(context)) return catchUp(context);
    const end = await findEnd(context);
    if (context.plan.strategy.kind === 'switchover') {
      if (end === null) throw noEnd();
      return (await waitForEnd(context, end, 1)) ?? (await fellBehind(context, end));
    }
    // The old primary is alive, or its receivers stand still: whichever comes first says that no more will come.
    const arrived = end === null ? null : await waitForEnd(context, end, 1 / 3);
    return arrived ?? (await waitForStill(context, end));
  },
};

/** The log in the vault gets what the fenced store still has, where somebody can read that. */
async function catchUp(context: StepContext): Promise<StepResult> {
  const { plan, ports, signal } = context;
  const store = plan.primary.server;
  if (store === null) return { text: 'nobody knows the old store', facts: {} };
  const [vault = plan.journalVault] = await sourcesOf(context);
  const facts = await ports.protector.catchUp({ store, vault }, { signal });
  if (facts === null) return { text: 'there is no change log that could catch up', facts: {} };
  return { text: `the change log has what ${store} had`, facts };
}

/** Where the log of the fenced primary ends; null where it cannot be asked, or is not shown to be fenced: then it may go on. */
async function findEnd(context: StepContext): Promise<string | null> {
  await assertFenced(context);
  const address = context.plan.primary.server;
  const { facts } = context.run.steps.fence;
  const at = readListFacts(facts, 'server').indexOf(address ?? '');
  if (facts[`state.${at + 1}`] !== 'fenced') return null;
  const state = (await lookAtAll(context)).find(({ server }) => server.address === address)?.state;
  return state?.role === 'primary' && !state.clients ? state.position : null;
}

/** Until a standby of the target has all of it. Null when the time is over. */
async function waitForEnd(context: StepContext, end: string, share: number): Promise<StepResult | null> {
  const { targetRegion } = targetOf(context);
  const arrived = await lookUntil(context, waitMs(context) * share, async () => {
    const looks = standbysOf(await lookAtAll(context), context);
    const there = looks.find(
      ({ server, state }) =>
        server.region === targetRegion && hasAll(state!.replayed ?? state!.position, end),
    );
    return there ?? null;
  });
  if (arrived === null) return null;
  return {
    text: `${arrived.server.address} has replayed all of the fenced primary, up to ${end}: nothing is lost`,
    facts: { endPosition: end, isComplete: true },
  };
}

function hasAll(position: string, end: string): boolean {
  const missing = bytesBetween(position, end);
  return missing !== null && missing <= 0n;
}

/** Until no standby has more than it had a few looks before. */
async function waitForStill(context: StepContext, end: string | null): Promise<StepResult> {
  let equal = 0;
  let before = '';
  let positions: string[] = [];
  const still = await lookUntil(context, waitMs(context) / 2, async () => {
    const looks = standbysOf(await lookAtAll(context), context);
    positions = looks.map(({ server, state }) => `${server.address} ${state!.position}`);
    const now = positions.join();
    equal = now === before ? equal + 1 : 1;
    before = now;
    return equal >= context.settings.equalLooks ? true : null;
  });
  const facts: StepFacts = {
    ...{ isComplete: false, isStill: still === true, standbys: positions.length },
    ...(end === null ? {} : { endPosition: end }),
  };
  const words = positions.join(', ') || 'no standby answers';
  return { text: `${still === true ? 'nothing arrives any longer' : 'the time is over'}: ${words}`, facts };
}

/** Something must be left of the time of the step to say how it went. */
function waitMs({ settings }: StepContext): number {
  return settings.deadlines.drain * 0.8;
}

function targetOf({ plan }: StepContext): { readonly targetRegion: string } {
  return { targetRegion: plan.target.region };
}

/** Those of the primary's own system, where that is known. */
function standbysOf(looks: readonly Look[], { plan }: StepContext): Look[] {
  const own = plan.primary.systemIdentifier;
  return looks.filter(
    ({ state }) => state?.role === 'standby' && (own === null || state.systemIdentifier === own),
  );
}

function noEnd(): BackupError {
  return new BackupError('recovery_stopped', 'the fenced primary does not say where its log ends', {
    hint: 'a switchover needs a primary that is alive: give this run up with `eventcore dr abandon --reopen`, and assess anew',
  });
}

async function fellBehind(context: StepContext, end: string): Promise<never> {
  const looks = standbysOf(await lookAtAll(context), context);
  const words = looks.map(({ server, state }) => `${server.address} ${state!.replayed ?? state!.position}`);
  throw new BackupError(
    'recovery_stopped',
    `no standby has replayed up to ${end}: ${words.join(', ') || 'none answers'}`,
    {
      hint: `${plural(words.length, 'standby', 'standbys')} may still catch up: resume, or give the run up with \`eventcore dr abandon --reopen\``,
    },
  );
}
