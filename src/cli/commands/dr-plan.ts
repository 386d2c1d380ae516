import type { Command } from 'commander';
import type { RecoveryPlan } from '../../core/disaster.ts';
import type { CommandContext, Start } from '../context.ts';
import { assessDisaster } from '../disaster/assessment.ts';
import { addWishOptions, type WishFlags, wishOf } from '../disaster/flags.ts';
import { planRecovery, storePlan } from '../disaster/planning.ts';
import { type DisasterWork, withDisasterWork } from '../disaster/work.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags } from '../keys/keys.ts';
import { approveCommand, planLines } from '../render/disaster.ts';

interface PlanFlags extends WishFlags, KeyFlags {}

export function addDrPlanCommand(dr: Command, start: Start): void {
  const command = dr
    .command('plan')
    .description(
      'say what would be done about a trigger, what is lost by that and what has to be accepted; do nothing of it',
    );
  addIdentityOptions(addWishOptions(command))
    .addHelpText('after', helpEnd(EXAMPLES, [0, 2, 6, 8, 9, 130]))
    .action((flags: PlanFlags) => start((context) => plan(context, flags), 'nothing was done'));
}

const EXAMPLES = [
  'eventcore dr plan --trigger database_failure',
  'eventcore dr plan --trigger region_outage --region us-west-2',
  'eventcore dr plan --trigger data_corruption --at 2026-11-23T04:05:06Z',
  'eventcore dr plan --trigger manual_trigger --strategy switchover --region us-west-2',
  'eventcore dr plan --trigger region_outage --json | jq -r .approve',
];

function plan(context: CommandContext, flags: PlanFlags): Promise<number> {
  const wish = wishOf(flags);
  return withDisasterWork(context, flags, { writes: true }, async (work) => {
    const { made, storedIn } = await makeAndStore(work, wish);
    const { output } = context;
    output.document({ ...made, storedIn, approve: approveCommand(made) });
    output.answer([
      ...planLines(made, output.paint),
      'Nothing was done. The next command:',
      `  ${approveCommand(made)}        # first with --dry-run, where there is time`,
    ]);
    return 0;
  });
}

export async function makeAndStore(
  work: DisasterWork,
  wish: ReturnType<typeof wishOf>,
): Promise<{ readonly made: RecoveryPlan; readonly storedIn: readonly string[] }> {
  const made = await planRecovery(work, await assessDisaster(work), wish);
  return { made, storedIn: await storePlan(work, made) };
}
