import type { Command } from 'commander';
import { formatInstant, printable } from '../../core/units.ts';
import { type Freeze, readFreezes } from '../../format/keep-marks.ts';
import { freeze, unfreeze } from '../../upkeep/freeze.ts';
import { type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addRegionOption, type RegionFlags, vaultToRead } from '../regions.ts';
import { systemClock } from '../wire.ts';
import { readReason } from './hold.ts';

interface OnFlags extends RegionFlags {
  readonly reason: string;
}

export function addFreezeCommand(program: Command, start: Start): void {
  const command = program
    .command('freeze')
    .description('stop everything that removes from a vault by a rule, as during an incident')
    .addHelpText('after', helpEnd(['eventcore freeze status'], [0, 2]));
  addRegionOption(command.command('on'))
    .description('from now on nothing is pruned, moved away or joined; backups go on')
    .requiredOption('--reason <text>', 'why, for whoever finds it later', readReason)
    .addHelpText('after', helpEnd(['eventcore freeze on --reason "incident 7: unknown deletes"'], [0, 2, 6]))
    .action((flags: OnFlags) => start((context) => turnOn(context, flags)));
  addRegionOption(command.command('off'))
    .description('end it')
    .addHelpText('after', helpEnd(['eventcore freeze off'], [0, 2, 6]))
    .action((flags: RegionFlags) => start((context) => turnOff(context, flags)));
  addRegionOption(command.command('status'))
    .description('show whether the vault is frozen, and why')
    .addHelpText('after', helpEnd(['eventcore freeze status', 'eventcore freeze status --json'], [0, 2, 6]))
    .action((flags: RegionFlags) => start((context) => status(context, flags)));
}

async function turnOn(context: CommandContext, flags: OnFlags): Promise<number> {
  const { output, software } = context;
  const address = vaultToRead(context, await context.settings(), flags);
  const mark = await withVault(address, { create: false }, (vault) =>
    freeze({ vault, clock: systemClock }, { reason: flags.reason, software }),
  );
  output.document({ frozen: true, freezes: [document(mark)] });
  output.account([
    `${output.paint('warning', 'Frozen')}: nothing is removed until \`eventcore freeze off\`.`,
  ]);
  return 0;
}

async function turnOff(context: CommandContext, flags: RegionFlags): Promise<number> {
  const { output, software } = context;
  const address = vaultToRead(context, await context.settings(), flags);
  const ended = await withVault(address, { create: false }, (vault) =>
    unfreeze({ vault, clock: systemClock }, software),
  );
  output.document({ frozen: false, ended: ended.map(document) });
  output.account(
    ended.length === 0
      ? ['It was not frozen.']
      : ['Rules of retention remove again; this had been frozen:', ...ended.map(describe)],
  );
  return 0;
}

async function status(context: CommandContext, flags: RegionFlags): Promise<number> {
  const { output } = context;
  const address = vaultToRead(context, await context.settings(), flags);
  const freezes = await withVault(address, { create: false }, readFreezes);
  output.document({ frozen: freezes.length > 0, freezes: freezes.map(document) });
  output.answer(
    freezes.length === 0
      ? ['Not frozen.']
      : [output.paint('warning', 'Frozen: nothing is removed.'), ...freezes.map(describe)],
  );
  return 0;
}

function document({ id, reason, createdAt }: Freeze): Record<string, unknown> {
  return { freezeId: id, reason, createdAt };
}

function describe({ reason, createdAt }: Freeze): string {
  return `  ${createdAt === '' ? '' : `since ${formatInstant(createdAt)}: `}${printable(reason)}`;
}
