import type { Command } from 'commander';
import { plural } from '../../core/units.ts';
import { renderTimeline } from '../../disaster/timeline.ts';
import type { CommandContext, Start } from '../context.ts';
import { allPlans, findCurrentPlan, findPlan, type RunView, viewRun } from '../disaster/runs.ts';
import { type DisasterWork, withDisasterWork } from '../disaster/work.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags } from '../keys/keys.ts';
import { runLines } from '../render/run.ts';
import { systemClock } from '../wire.ts';

interface StatusFlags extends KeyFlags {
  readonly timeline?: true;
  readonly all?: true;
}

export function addDrStatusCommand(dr: Command, start: Start): void {
  const command = dr
    .command('status')
    .description('show how far a recovery is, what came of it, and whether its journal can be believed')
    .argument(
      '[plan]',
      'id of a plan, or its first characters (default: the one that is under way, else the newest)',
    )
    .option('--timeline', 'tell what happened as Markdown, to write a post-mortem from')
    .option('--all', 'list all plans')
    .addHelpText('after', helpEnd(EXAMPLES, [0, 2, 3, 4, 6, 10]))
    .action((plan: string | undefined, flags: StatusFlags) =>
      start((context) => showStatus(context, plan, flags)),
    );
  addIdentityOptions(command);
}

const EXAMPLES = [
  'eventcore dr status                        # 10 while it is not at its end, or ended in part',
  'eventcore dr status 8f3a2c1e --timeline > post-mortem.md',
  'eventcore dr status --all',
  "eventcore dr status --json | jq '.outcome.dataLoss'",
];

function showStatus(context: CommandContext, id: string | undefined, flags: StatusFlags): Promise<number> {
  return withDisasterWork(context, flags, { writes: false }, async (work) => {
    if (flags.all) return listAll(work);
    const plan =
      id === undefined ? await findCurrentPlan(work.vaults, 'any') : await findPlan(work.vaults, id);
    const view = await viewRun(work.vaults, plan, work.keys.trust);
    const { output } = context;
    output.document(runDocument(view));
    output.answer(
      flags.timeline
        ? [renderTimeline(view.plan.plan, view.outcome)]
        : runLines(view, systemClock.now(), output.paint),
    );
    return exitCodeOf(view);
  });
}

/** What --json says of a run. */
export function runDocument(view: RunView): unknown {
  const { plan, state, outcome, journal, chain, copies, readFrom, isAuthoritative } = view;
  const { signature: _, ...planned } = plan.plan;
  return {
    plan: planned,
    approvedAt: state.approvedAt,
    approvedBy: state.approvedBy,
    accepted: [...state.accepted],
    epoch: state.epoch,
    end: state.end,
    steps: plan.plan.steps.map(({ step, does }) => ({ step, does, ...state.steps[step] })),
    outcome,
    journal: { vault: readFrom, isAuthoritative, ...chain, copies },
    timeline: journal.entries,
  };
}

/** Damage first: nobody can rely on what a broken journal says of the rest. */
export function exitCodeOf({ chain, outcome, state }: Pick<RunView, 'chain' | 'outcome' | 'state'>): number {
  if (!chain.isWhole) return 4;
  if (state.entries === 0 || outcome.state === 'recovered' || outcome.state === 'abandoned') return 0;
  return 10;
}

async function listAll({ context: { output }, vaults }: DisasterWork): Promise<number> {
  const plans = await allPlans(vaults);
  output.document({ plans: plans.map(({ name, planId }) => ({ planId, object: name })) });
  output.answer([
    plans.length === 0 ? 'No plans.' : `${plural(plans.length, 'plan')}, the newest last:`,
    ...plans.map(({ name }) => `  ${name}`),
  ]);
  return 0;
}
