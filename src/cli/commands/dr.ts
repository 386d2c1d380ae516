import type { Command } from 'commander';
import type { Start } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addDrGuardCommand } from './dr-guard.ts';
import { addDrProbeCommand } from './dr-probe.ts';
import { addDrSampleCommand } from './dr-sample.ts';
import { addDrStatusCommand } from './dr-status.ts';

export function addDrCommand(program: Command, start: Start): void {
  const dr = program
    .command('dr')
    .description('disaster recovery across regions: look, plan, carry out, go on, show')
    .addHelpText('after', helpEnd(EXAMPLES, [0, 2]));
  addDrStatusCommand(dr, start);
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
