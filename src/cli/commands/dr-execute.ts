import type { Command } from 'commander';
import type { JournalEntry, RecoveryOutcome, RecoveryPlan } from '../../core/disaster.ts';
import { BackupError } from '../../core/errors.ts';
import { beginRun } from '../../disaster/execute.ts';
import type { RecoveryRequest } from '../../disaster/session.ts';
import type { CommandContext, Start } from '../context.ts';
import {
  type AcceptFlags,
  acceptedBy,
  addAcceptOptions,
  addRunOptions,
  addWishOptions,
  type RunFlags,
  type WishFlags,
  wishOf,
} from '../disaster/flags.ts';
import { recoverySettings, withRecoveryPorts } from '../disaster/ports.ts';
import { findPlan } from '../disaster/runs.ts';
import { type DisasterWork, withDisasterWork } from '../disaster/work.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags } from '../keys/keys.ts';
import { approveCommand, planLines } from '../render/disaster.ts';
import { entryLine, outcomeLines } from '../render/run.ts';
import { makeAndStore } from './dr-plan.ts';
import { rehearse } from './dr-rehearse.ts';

interface ExecuteFlags extends WishFlags, AcceptFlags, RunFlags, KeyFlags {
  readonly approve?: string;
  readonly dryRun?: true;
}

/** The plan that runs, to say how it goes on when it is stopped. */
export interface Running {
  planId: string | null;
}

export function addDrExecuteCommand(dr: Command, start: Start): void {
  const running: Running = { planId: null };
  const command = dr
    .command('execute')
    .description('carry a plan out, step by step, with a journal that another host can go on from')
    .option('--approve <plan>', 'id of the plan, or its first characters: you have read it')
    .option('--dry-run', 'try every way that the plan will take, and go none');
  addIdentityOptions(addRunOptions(addAcceptOptions(addWishOptions(command))))
    .addHelpText('after', helpEnd(EXAMPLES, [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130]))
    .action((flags: ExecuteFlags) =>
      start(
        (context) => execute(context, flags, running),
        () => leftBehind(running),
      ),
    );
}

const EXAMPLES = [
  'eventcore dr execute --approve 8f3a2c1e --dry-run',
  'eventcore dr execute --approve 8f3a2c1e',
  'eventcore dr execute --approve 8f3a2c1e --accept-data-loss    # where the plan says that this is at risk',
  'eventcore dr execute --trigger region_outage                  # shows the plan, and ends with 9',
];

export async function leftBehind({ planId }: Running): Promise<string> {
  return planId === null
    ? 'nothing was done'
    : `what was begun is in the journal: \`eventcore dr resume ${planId}\` goes on, on any host`;
}

function execute(context: CommandContext, flags: ExecuteFlags, running: Running): Promise<number> {
  const { approve } = flags;
  const wish = approve === undefined ? wishOf(flags) : null;
  return withDisasterWork(context, flags, { writes: true }, async (work) => {
    if (wish !== null || approve === undefined) return showUnapproved(work, wish!);
    const plan = await findPlan(work.vaults, approve);
    if (flags.dryRun) return rehearse(work, plan, flags);
    running.planId = plan.plan.planId;
    return carryOut(work, plan.plan, flags, (request) =>
      beginRun(request, plan.plan.planId, { accept: acceptedBy(flags) }),
    );
  });
}

async function showUnapproved(work: DisasterWork, wish: ReturnType<typeof wishOf>): Promise<never> {
  const { made, storedIn } = await makeAndStore(work, wish);
  const { output } = work.context;
  output.document({ ...made, storedIn, approve: approveCommand(made) });
  output.answer(planLines(made, output.paint));
  throw new BackupError('recovery_refused', 'nothing was done: the plan is not approved', {
    hint: `whoever has read it approves it: \`${approveCommand(made)}\``,
    facts: { planId: made.planId },
  });
}

/** Runs a recovery, or the rest of one, and tells of each entry as it is written. */
export async function carryOut(
  work: DisasterWork,
  plan: RecoveryPlan,
  flags: RunFlags,
  run: (request: RecoveryRequest) => Promise<RecoveryOutcome>,
): Promise<number> {
  const { context, disaster } = work;
  const options = { plan, waitForArchive: flags.waitForArchive === true };
  const outcome = await withRecoveryPorts(work, options, (ports) =>
    run({
      ports,
      settings: recoverySettings(disaster, flags.merge === true),
      onEntry: tellOf(context),
      signal: context.signal,
    }),
  );
  context.progress.end();
  context.output.document(outcome);
  context.output.account(outcomeLines(outcome, plan, context.output.paint));
  return outcome.state === 'recovered' || outcome.state === 'abandoned' ? 0 : IN_PART;
}

const IN_PART = new BackupError('partial', '').exitCode;

/** One line for each entry, on stderr: it is durable by then. */
function tellOf({ log, progress }: CommandContext): (entry: JournalEntry) => void {
  let startMs: number | null = null;
  return (entry) => {
    startMs ??= Date.parse(entry.at);
    progress.end();
    const { number, kind, step, text, epoch } = entry;
    log.tell(entryLine(entry, startMs), { number, kind, step, text, epoch });
    if (kind === 'intent' && step !== null) progress.step(step);
  };
}
