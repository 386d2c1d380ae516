import type { Command } from 'commander';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import { formatDuration } from '../../core/units.ts';
import { abandonRun } from '../../disaster/abandon.ts';
import { resumeRun } from '../../disaster/execute.ts';
import type { StoredPlan } from '../../format/disaster-plan.ts';
import type { CommandContext, Start } from '../context.ts';
import {
  type AcceptFlags,
  acceptedBy,
  addAcceptOptions,
  addRunOptions,
  type RunFlags,
} from '../disaster/flags.ts';
import { findCurrentPlan, findPlan } from '../disaster/runs.ts';
import { salvageFrom } from '../disaster/salvage-from.ts';
import { type DisasterWork, withDisasterWork } from '../disaster/work.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags } from '../keys/keys.ts';

import { carryOut, leftBehind, type Running } from './dr-execute.ts';

interface ResumeFlags extends AcceptFlags, RunFlags, KeyFlags {
  readonly salvageFrom?: string;
}

export function addDrResumeCommand(dr: Command, start: Start): void {
  const running: Running = { planId: null };
  const command = dr
    .command('resume')
    .description(
      'go on with a recovery that was stopped, from the first step that is not done, on whatever host',
    )
    .argument('[plan]', 'id of the plan, or its first characters (default: the one that is not at its end)')
    .option('--salvage-from <store>', 'only look for events that this store has and the new primary has not');
  addIdentityOptions(addRunOptions(addAcceptOptions(command)))
    .addHelpText('after', helpEnd(EXAMPLES, [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130]))
    .action((plan: string | undefined, flags: ResumeFlags) =>
      start(
        (context) => resume(context, plan, flags, running),
        () => leftBehind(running),
      ),
    );
}

const EXAMPLES = [
  'eventcore dr resume                            # the one that is not at its end',
  'eventcore dr resume 8f3a2c1e --accept-split-brain   # the old primary is switched off: you have seen to that',
  'eventcore dr resume 8f3a2c1e --salvage-from postgres://postgres@old-primary/events',
  'eventcore dr resume 8f3a2c1e --salvage-from postgres://postgres@old-primary/events --merge',
];

function resume(
  context: CommandContext,
  id: string | undefined,
  flags: ResumeFlags,
  running: Running,
): Promise<number> {
  return withDisasterWork(context, flags, { writes: true }, async (work) => {
    const stored = await planOf(work, id);
    const { plan } = stored;
    if (flags.salvageFrom !== undefined)
      return salvageFrom(work, stored, { from: flags.salvageFrom, merge: flags.merge === true });
    running.planId = plan.planId;
    return carryOut(work, plan, flags, (request) =>
      afterTheDead(work, () => resumeRun(request, plan.planId, { accept: acceptedBy(flags) })),
    );
  });
}

/** Beyond the end of a lock: a vault may know its times by the second. */
const GRACE_MS = 5000;
const POLL_MS = 500;

/** Whoever died holds its locks until their time is over; whoever lives gives them back, or renews them. */
async function afterTheDead<Result>(
  { context: { log, signal }, disaster }: DisasterWork,
  run: () => Promise<Result>,
): Promise<Result> {
  const giveUpAtMs = performance.now() + disaster.lockTtlMs + GRACE_MS;
  for (let tries = 0; ; tries += 1) {
    try {
      return await run();
    } catch (error) {
      // One that was lost on the way is no reason to begin anew.
      if (
        !isBackupError(error, 'lease_held') ||
        error.facts.held !== undefined ||
        performance.now() > giveUpAtMs
      )
        throw error;
      if (tries === 0)
        log.tell(`waiting for the lock of a run that died: up to ${formatDuration(disaster.lockTtlMs)}`);
      await pause(POLL_MS, signal);
    }
  }
}

function planOf({ vaults }: DisasterWork, id: string | undefined): Promise<StoredPlan> {
  return id === undefined ? findCurrentPlan(vaults, 'begun') : findPlan(vaults, id);
}

interface AbandonFlags extends AcceptFlags, KeyFlags {
  readonly reason: string;
  readonly reopen?: true;
}

export function addDrAbandonCommand(dr: Command, start: Start): void {
  const command = dr
    .command('abandon')
    .description('give a recovery up, so that another plan may be carried out; fences stay')
    .argument('<plan>', 'id of the plan, or its first characters')
    .requiredOption('--reason <text>', 'why, for whoever reads the journal', readReason)
    .option(
      '--reopen',
      'let applications back in at the old primary: only while nothing has begun to take its place',
    );
  addIdentityOptions(addAcceptOptions(command))
    .addHelpText('after', helpEnd(ABANDON_EXAMPLES, [0, 2, 3, 4, 5, 6, 7, 8, 9, 130]))
    .action((plan: string, flags: AbandonFlags) => start((context) => abandon(context, plan, flags)));
}

const ABANDON_EXAMPLES = [
  'eventcore dr abandon 8f3a2c1e --reason "the region is back" --reopen',
  'eventcore dr abandon 8f3a2c1e --reason "us-west-2 is away too; a new plan is made"',
];

function readReason(text: string): string {
  if (text.trim() !== '') return text;
  throw new BackupError('usage', 'the reason is empty', {
    hint: 'say in some words why the run is given up',
  });
}

function abandon(context: CommandContext, id: string, flags: AbandonFlags): Promise<number> {
  const options = { reason: flags.reason, reopen: flags.reopen === true, accept: acceptedBy(flags) };
  return withDisasterWork(context, flags, { writes: true }, async (work) => {
    const { plan } = await findPlan(work.vaults, id);
    return carryOut(work, plan, {}, (request) => abandonRun(request, plan.planId, options));
  });
}
