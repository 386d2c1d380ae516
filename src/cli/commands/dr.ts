import type { Command } from 'commander';
import type { Start } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addDrAssessCommand } from './dr-assess.ts';
import { addDrExecuteCommand } from './dr-execute.ts';
import { addDrGuardCommand } from './dr-guard.ts';
import { addDrPlanCommand } from './dr-plan.ts';
import { addDrProbeCommand } from './dr-probe.ts';
import { addDrAbandonCommand, addDrResumeCommand } from './dr-resume.ts';
import { addDrSalvagedCommand } from './dr-salvaged.ts';
import { addDrSampleCommand } from './dr-sample.ts';
import { addDrStatusCommand } from './dr-status.ts';

export function addDrCommand(program: Command, start: Start): void {
  const dr = program
    .command('dr')
    .description('disaster recovery across regions: look, plan, carry out, go on, show')
    .addHelpText('after', helpEnd(EXAMPLES, [0, 2]));
  addDrAssessCommand(dr, start);
  addDrPlanCommand(dr, start);
  addDrExecuteCommand(dr, start);
  addDrResumeCommand(dr, start);
  addDrAbandonCommand(dr, start);
  addDrStatusCommand(dr, start);
  addDrSalvagedCommand(dr, start);
  addDrProbeCommand(dr, start);
  addDrSampleCommand(dr, start);
  addDrGuardCommand(dr, start);
}

const EXAMPLES = [
  'eventcore dr assess                                     # who is the primary, who could take over, what would be lost',
  'eventcore dr plan --trigger region_outage',
  'eventcore dr execute --approve 8f3a2c1e-… --dry-run',
  'eventcore dr status',
];
