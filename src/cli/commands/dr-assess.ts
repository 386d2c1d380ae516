import type { Command } from 'commander';
import type { DisasterAssessment, RecoveryPlan } from '../../core/disaster.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { CommandContext, Start } from '../context.ts';
import { type Assessed, assessDisaster } from '../disaster/assessment.ts';
import { addWishOptions, type WishFlags, wishOf } from '../disaster/flags.ts';
import { planRecovery } from '../disaster/planning.ts';
import { type DisasterWork, withDisasterWork } from '../disaster/work.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags } from '../keys/keys.ts';
import { assessmentLines, planLines } from '../render/disaster.ts';

interface AssessFlags extends WishFlags, KeyFlags {}

export function addDrAssessCommand(dr: Command, start: Start): void {
  const command = dr
    .command('assess')
    .description(
      'look: who is the primary, who could take over, what the vaults bring back, what would be lost',
    );
  addIdentityOptions(addWishOptions(command))
    .addHelpText('after', helpEnd(EXAMPLES, [0, 2, 4, 5, 6, 130]))
    .action((flags: AssessFlags) => start((context) => assessAll(context, flags)));
}

const EXAMPLES = [
  'eventcore dr assess                            # 5 where no primary answers, 4 where two take writes, 6 where no vault helps',
  'eventcore dr assess --trigger region_outage    # what would be done, too; nothing is written',
  "eventcore dr assess --json | jq '.estimatedDataLoss'",
];

function assessAll(context: CommandContext, flags: AssessFlags): Promise<number> {
  return withDisasterWork(context, flags, { writes: false }, async (work) => {
    const assessed = await assessDisaster(work);
    const { assessment, observed } = assessed;
    const plan = flags.trigger === undefined ? null : await planOrRefusal(work, assessed, flags);
    const { output } = context;
    output.document({
      ...assessment,
      ...{ health: observed.health, samples: observed.samples.length, lastPrimary: observed.lastPrimary },
      ...(plan === null ? {} : planDocument(plan)),
    });
    output.answer([
      ...assessmentLines(assessment, output.paint),
      ...(plan === null ? [] : ['', ...planned(plan, context)]),
    ]);
    return exitCodeOf(assessment);
  });
}

type Planned = RecoveryPlan | BackupError;

async function planOrRefusal(work: DisasterWork, assessed: Assessed, flags: AssessFlags): Promise<Planned> {
  try {
    return await planRecovery(work, assessed, wishOf(flags));
  } catch (error) {
    if (isBackupError(error, 'recovery_refused')) return error;
    throw error;
  }
}

function planDocument(plan: Planned): Record<string, unknown> {
  if (plan instanceof BackupError)
    return { strategy: null, refusal: { message: plan.message, hint: plan.hint } };
  const { strategy, reasons, target, estimatedDataLoss, steps, risks } = plan;
  return { strategy, refusal: null, reasons, target, plannedDataLoss: estimatedDataLoss, steps, risks };
}

function planned(plan: Planned, { output: { paint } }: CommandContext): string[] {
  if (!(plan instanceof BackupError))
    return [...planLines(plan, paint), 'Nothing was written: `eventcore dr plan` makes a plan.'];
  return [
    paint('bad', `There is no way: ${plan.message}`),
    ...(plan.hint === null ? [] : [`  ${plan.hint}`]),
  ];
}

/** What is worst of what was found. */
function exitCodeOf({ primary, primaryDbAccessible, backupAccessible }: DisasterAssessment): number {
  if (primary.state === 'doubled') return 4;
  if (!primaryDbAccessible) return 5;
  return backupAccessible ? 0 : 6;
}
