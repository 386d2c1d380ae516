import type { RECOVERY_RISKS, StepFacts } from '../../core/disaster.ts';
import type { Fence } from '../../core/disaster-ports.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { StepCode, StepContext, StepResult } from '../context.ts';
import { withDeadline } from '../deadline.ts';
import { isBegun, listFacts, readListFacts, textFact } from '../run-state.ts';
import { chosenServer, type Look, lookAt, lookAtAll, lookUntil } from './look.ts';

/**
 * Every server that could write is fenced from now on. A fence that cannot be shown to hold is none, unless the plan's approval accepts
 * two writers.
 */
export const fenceStep: StepCode = {
  check: async (context) => {
    const { found, open } = await lookAtWriters(context);
    // One that was accepted to be open is tried again when it answers: it may be fenced now.
    const isEach = open.length === 0 && !found.some(({ state }) => state === 'unfenced');
    return isEach ? said(found) : null;
  },
  act: async (context) => {
    const writers = await findWriters(context);
    const found = await Promise.all(writers.map((writer) => fenceOne(writer, context)));
    const open = found.filter(({ state }) => state === 'unfenced');
    if (open.length === 0 || context.accepted.has('split_brain')) return said(found);
    throw cannotFence(open);
  },
  isPerishable: ({ run }) => !isBegun(run.steps.rejoin),
};

/** A server that could write, and whether it still can. */
interface Fenced {
  readonly server: string;
  /** `standby`: it answers, and is none that could write. `unknown`: nobody can tell now. */
  readonly state: 'fenced' | 'standby' | 'unknown' | 'unfenced';
  /** By what, or why not. */
  readonly by: string;
  readonly facts: StepFacts;
}

interface Writer {
  readonly address: string;
  readonly look: Look | null;
}

/**
 * The primary of the plan, whatever else answers as one, what was fenced before, and what an abandoned run may have promoted. Where nobody knows the
 * primary, each server that does not answer may be it. The one that takes over is none of them.
 */
async function findWriters(context: StepContext): Promise<Writer[]> {
  const { plan, run, maybePrimaries } = context;
  const looks = await lookAtAll(context);
  const mayWrite = looks.filter(({ state, server }) => {
    if (state !== null) return state.role === 'primary';
    return plan.primary.server === null || maybePrimaries.has(server.address);
  });
  const addresses = new Set([
    ...(plan.primary.server === null ? [] : [plan.primary.server]),
    ...mayWrite.map(({ server }) => server.address),
    ...readListFacts(run.steps.fence.facts, 'server'),
  ]);
  const chosen = isBegun(run.steps.promote) ? (chosenServer(context)?.address ?? '') : '';
  addresses.delete(chosen);
  return [...addresses].map((address) => ({
    address,
    look: looks.find(({ server }) => server.address === address) ?? null,
  }));
}

/** What is so, without doing anything. */
async function standing({ address, look }: Writer, context: StepContext): Promise<Fenced> {
  if (look?.state?.role === 'standby')
    return { server: address, state: 'standby', by: 'it is a standby', facts: {} };
  const asked = await askAll(fencesOf(address, context), context);
  const holding = asked.find(({ state }) => state === 'fenced');
  if (holding !== undefined)
    return { server: address, state: 'fenced', by: holding.fence.describe, facts: {} };
  const answers = look?.state?.role === 'primary';
  const isOpen = answers || (asked.length > 0 && asked.every(({ state }) => state === 'open'));
  return { server: address, state: isOpen ? 'unfenced' : 'unknown', by: 'nothing shows a fence', facts: {} };
}

interface AskedFence {
  readonly fence: Fence;
  readonly state: 'fenced' | 'open' | 'unknown';
}

/** All at the same time: what cannot be asked takes as long as it may. */
function askAll(fences: readonly Fence[], context: StepContext): Promise<AskedFence[]> {
  return Promise.all(fences.map(async (fence) => ({ fence, state: await ask(fence, context) })));
}

async function ask(fence: Fence, { settings, signal }: StepContext): Promise<AskedFence['state']> {
  try {
    return await withDeadline(`asking whether ${fence.describe} stands`, settings.probeMs, signal, (own) =>
      fence.check({ signal: own }),
    );
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    return 'unknown';
  }
}

/** All of its fences in their order, until one is shown to hold. */
async function fenceOne(writer: Writer, context: StepContext): Promise<Fenced> {
  const { address: server } = writer;
  const before = await standing(writer, context);
  if (before.state === 'fenced' || before.state === 'standby') return before;
  const reasons: string[] = [];
  const fences = await waysToFence(writer, context);
  // One that hangs must leave time for the others.
  const eachMs = context.settings.deadlines.fence / (fences.length + 1);
  for (const fence of fences) {
    const result = await applyOne(fence, eachMs, context);
    if (typeof result !== 'string') return { server, state: 'fenced', by: fence.describe, facts: result };
    reasons.push(`${fence.describe}: ${result}`);
  }
  const by = reasons.join('; ') || 'no fence is configured for it';
  return { server, state: 'unfenced', by, facts: {} };
}

/** What it said when it is shown to hold; else why not. */
async function applyOne(fence: Fence, ms: number, context: StepContext): Promise<StepFacts | string> {
  try {
    return await withDeadline(fence.describe, ms, context.signal, async (own) => {
      context.assertHeld();
      const facts = await fence.apply({ signal: own });
      const isShown = await lookUntil({ ...context, signal: own }, context.settings.probeMs, async () =>
        (await fence.check({ signal: own })) === 'fenced' ? true : null,
      );
      return isShown === true ? facts : 'it cannot be shown to hold';
    });
  } catch (error) {
    if (!isBackupError(error) || ['lease_held', 'interrupted'].includes(error.code)) throw error;
    return error.message;
  }
}

/**
 * In the order in which they are tried. Who hands over must still send: of its fences only the first is tried, which is its own; cut off from
 * outside, it could not be drained. At a server that does not answer, those that can be asked come first: its own would only take time.
 */
async function waysToFence({ address, look }: Writer, context: StepContext): Promise<readonly Fence[]> {
  const fences = fencesOf(address, context);
  const { strategy, primary } = context.plan;
  if (strategy.kind === 'switchover' && address === primary.server) return fences.slice(0, 1);
  if (look !== null && look.state !== null) return fences;
  const asked = await askAll(fences, context);
  const isUnknown = ({ state }: AskedFence): number => (state === 'unknown' ? 1 : 0);
  return asked.toSorted((a, b) => isUnknown(a) - isUnknown(b)).map(({ fence }) => fence);
}

function fencesOf(server: string, { ports }: StepContext): readonly Fence[] {
  return ports.fences.get(server) ?? [];
}

/** What is so, and what of it is not enough. */
async function lookAtWriters(
  context: StepContext,
): Promise<{ readonly found: Fenced[]; readonly open: Fenced[] }> {
  const isOver = await hasTakenOver(context);
  const found = await Promise.all((await findWriters(context)).map((writer) => standing(writer, context)));
  return { found, open: found.filter((one) => !isEnough(one, isOver, context)) };
}

/** Whether there is a new primary, or will be one in a place where nobody else writes. */
async function hasTakenOver(context: StepContext): Promise<boolean> {
  const { promote, restore } = context.run.steps;
  if (promote.state === 'done' || isBegun(restore)) return true;
  const chosen = isBegun(promote) ? chosenServer(context) : null;
  return chosen !== null && (await lookAt(chosen, context)).state?.role === 'primary';
}

/** Once there is a new primary, what was fenced and can no longer be asked does not hold up what must come next. */
function isEnough({ state, server }: Fenced, isOver: boolean, context: StepContext): boolean {
  if (state === 'fenced' || state === 'standby') return true;
  const facts = context.run.steps.fence.facts;
  const at = readListFacts(facts, 'server').indexOf(server);
  if (at === -1) return false;
  const before = textFact(facts, `state.${at + 1}`);
  if (before === 'unfenced') return context.accepted.has('split_brain');
  return state === 'unknown' && isOver;
}

function said(found: readonly Fenced[]): StepResult {
  const words = found.map(({ server, state, by }) => `${server} ${WORDS[state]} (${by})`);
  const rest = Object.assign({}, ...found.map(({ facts }) => facts)) as StepFacts;
  return {
    text: words.join('; ') || 'no server could write',
    facts: {
      ...listFacts(
        'server',
        found.map(({ server }) => server),
      ),
      ...listFacts(
        'state',
        found.map(({ state }) => state),
      ),
      ...listFacts(
        'by',
        found.map(({ by }) => by),
      ),
      ...rest,
    },
  };
}

const WORDS: Readonly<Record<Fenced['state'], string>> = {
  fenced: 'is fenced',
  standby: 'cannot write',
  unknown: 'was fenced, and cannot be asked',
  unfenced: 'IS NOT FENCED, which was accepted',
};

function cannotFence(open: readonly Fenced[]): BackupError {
  const flag: (typeof RECOVERY_RISKS)['split_brain'] = '--accept-split-brain';
  const words = open.map(({ server, by }) => `${server} (${by})`).join('; ');
  return new BackupError('fence_failed', `nothing shows that these cannot write any longer: ${words}`, {
    hint: `stop them by hand or give them another fence, then resume; when it is certain that they are dead for good, resume with ${flag}`,
    facts: { flag },
  });
}

/** Throws `fence_failed` unless every server that could write is shown to be fenced, or that was accepted. Asked right before what cannot be taken back. */
export async function assertFenced(context: StepContext): Promise<void> {
  const { open } = await lookAtWriters(context);
  if (open.length > 0) throw cannotFence(open);
}

/** Whether a server takes writes, as far as it and its fences say. */
export async function canWrite(address: string, context: StepContext): Promise<boolean> {
  const server = context.ports.servers.find((one) => one.address === address);
  const found = server === undefined ? null : await lookAt(server, context);
  return (await standing({ address, look: found }, context)).state === 'unfenced';
}
