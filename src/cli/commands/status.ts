import type { Command } from 'commander';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import { judgeObjectives } from '../../policy/objectives.ts';
import { type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addFleetOptions, type FleetFlags, readFleet } from '../fleet/flags.ts';
import { addRegionOption, type RegionFlags, vaultToRead } from '../regions.ts';
import { fleetDocument, fleetStatusLines } from '../render/fleet.ts';
import { statusLines } from '../render/status.ts';
import { readStatus } from '../status/facts.ts';
import { systemClock } from '../wire.ts';

export function addStatusCommand(program: Command, start: Start): void {
  addFleetOptions(addRegionOption(program.command('status')))
    .description('show at a glance whether data can be brought back, to when, and how that is known')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore status',
          'eventcore status --region us-west-2',
          'eventcore status --config fleet.yaml --fleet --label team=billing',
          'eventcore status --json | jq .newestPoint',
          `eventcore status --json | jq '.objectives[] | select(.state != "kept")'`,
        ],
        [0, 2, 6, 10],
      ),
    )
    .action((flags: RegionFlags & FleetFlags) =>
      start((context) => (flags.fleet ? showFleet(context, flags) : showStatus(context, flags))),
    );
}

/** Ends with 10 where of some store nothing could be read. */
async function showFleet(context: CommandContext, flags: FleetFlags): Promise<number> {
  const { output } = context;
  const { rows, count } = await readFleet(context, flags);
  const nowMs = systemClock.now();
  output.document(fleetDocument(rows, count, formatTime(timeFromUnixMs(nowMs), 3)));
  output.answer(fleetStatusLines(rows, count, nowMs, output.paint));
  return rows.some(({ state }) => state === 'unreadable') ? 10 : 0;
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
