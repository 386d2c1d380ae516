import type { Command } from 'commander';
import { judgeObjectives } from '../../policy/objectives.ts';
import { type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addRegionOption, type RegionFlags, vaultToRead } from '../regions.ts';
import { statusLines } from '../render/status.ts';
import { readStatus } from '../status/facts.ts';
import { systemClock } from '../wire.ts';

export function addStatusCommand(program: Command, start: Start): void {
  addRegionOption(program.command('status'))
    .description('show at a glance whether data can be brought back, to when, and how that is known')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore status',
          'eventcore status --region us-west-2',
          'eventcore status --json | jq .newestPoint',
          `eventcore status --json | jq '.objectives[] | select(.state != "kept")'`,
        ],
        [0, 2, 6],
      ),
    )
    .action((flags: RegionFlags) => start((context) => showStatus(context, flags)));
}

/** What could not be read is in the answer: it fails only where the vault itself cannot be. */
async function showStatus(context: CommandContext, flags: RegionFlags): Promise<number> {
  const { output, signal } = context;
  const settings = await context.settings();
  const nowMs = systemClock.now();
  const status = await withVault(vaultToRead(context, settings, flags), { create: false }, (vault) =>
    readStatus({ settings, vault, signal, nowMs }),
  );
  const objectives = judgeObjectives(status, nowMs);
  output.document({ ...status, objectives });
  output.answer(statusLines(status, objectives, output.paint));
  return 0;
}
