import { type Command, InvalidArgumentError } from 'commander';
import { formatTime, parseTime } from '../../core/time.ts';
import { formatInstant, plural, printable } from '../../core/units.ts';
import type { Hold } from '../../format/keep-marks.ts';
import { addHold, type HeldBackup, hasEnded, listHolds, removeHold } from '../../upkeep/holds.ts';
import { type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addRegionOption, type RegionFlags, vaultToRead } from '../regions.ts';
import { renderTable } from '../render/table.ts';
import { systemClock } from '../wire.ts';

export function addHoldCommand(program: Command, start: Start): void {
  const hold = program
    .command('hold')
    .description('keep backups, with all that they build on, whatever the rules of retention say')
    .addHelpText('after', helpEnd(['eventcore hold list'], [0, 2]));
  addRegionOption(hold.command('add'))
    .argument('<backup>', 'its id, or the first characters of it')
    .description('hold a backup and all that it builds on')
    .requiredOption('--reason <text>', 'why, for whoever finds it later', readReason)
    .option('--until <time>', 'ends by itself at that time, or when that day is over (UTC)', readUntil)
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore hold add 3f2a9c1e --reason "audit 2026"',
          'eventcore hold add 3f2a9c1e --reason case-77 --until 2027-06-30',
        ],
        [0, 2, 3, 4, 6],
      ),
    )
    .action((backup: string, flags: AddFlags) => start((context) => add(context, backup, flags)));
  addRegionOption(hold.command('remove'))
    .argument('<hold>', 'id of a hold, or of a backup: then all its holds')
    .description('end a hold')
    .addHelpText('after', helpEnd(['eventcore hold remove 0d5b52ef'], [0, 2, 3, 4, 6]))
    .action((wanted: string, flags: RegionFlags) => start((context) => remove(context, wanted, flags)));
  addRegionOption(hold.command('list'))
    .description('show what is held')
    .addHelpText('after', helpEnd(['eventcore hold list', 'eventcore hold list --json'], [0, 2, 4, 6]))
    .action((flags: RegionFlags) => start((context) => list(context, flags)));
}

interface AddFlags extends RegionFlags {
  readonly reason: string;
  readonly until?: string;
}

/** Who reads the vault reads it: it is written down as it is. */
export function readReason(text: string): string {
  if (text.trim() !== '' && text.length <= 500) return text;
  throw new InvalidArgumentError('It must be a few words, at most 500 characters.');
}

const DAY_US = 86_400_000_000n;

function readUntil(text: string): string {
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
  const time = parseTime(isDay ? `${text}T00:00:00Z` : text);
  if (time === null)
    throw new InvalidArgumentError('It must be a day, as 2027-06-30, or a time, as 2027-06-30T12:00:00Z.');
  return formatTime(isDay ? time + DAY_US : time, 3);
}

const ports = { clock: systemClock };

async function add(context: CommandContext, backup: string, flags: AddFlags): Promise<number> {
  const { output, software } = context;
  const address = vaultToRead(context, await context.settings(), flags);
  const held = await withVault(address, { create: false }, (vault) =>
    addHold({ ...ports, vault }, { backup, reason: flags.reason, until: flags.until ?? null, software }),
  );
  output.document(document(held));
  const { hold, covers, lockedObjects } = held;
  output.account([
    `${output.paint('good', 'Held')}: backup ${hold.backupId}${covers.length === 1 ? '' : ` and ${plural(covers.length - 1, 'backup')} that it builds on`}.`,
    `  hold ${hold.id}, ${untilText(hold)}`,
    ...(lockedObjects === 0
      ? []
      : [`  The vault itself refuses to remove ${plural(lockedObjects, 'object')} of it.`]),
  ]);
  return 0;
}

function document({ hold, covers, ...rest }: Omit<HeldBackup, 'lockedObjects'>): Record<string, unknown> {
  const { id, backupId, reason, createdAt, until } = hold;
  return {
    holdId: id,
    backupId,
    reason,
    createdAt,
    until,
    covers,
    ended: hasEnded(hold, systemClock.now()),
    ...rest,
  };
}

function untilText(hold: Hold): string {
  if (hold.until === null) return 'until it is taken off';
  return hasEnded(hold, systemClock.now())
    ? `ended ${formatInstant(hold.until)}`
    : `until ${formatInstant(hold.until)}`;
}

async function remove(context: CommandContext, wanted: string, flags: RegionFlags): Promise<number> {
  const { output, software } = context;
  const address = vaultToRead(context, await context.settings(), flags);
  const ended = await withVault(address, { create: false }, (vault) =>
    removeHold({ ...ports, vault }, { wanted, software }),
  );
  output.document({ removed: ended.map(({ id, backupId, reason }) => ({ holdId: id, backupId, reason })) });
  output.account([
    `${plural(ended.length, 'hold')} ended: rules of retention decide over it again.`,
    ...ended.map(
      ({ id, backupId, reason }) => `  ${id.slice(0, 8)}  backup ${backupId}: ${printable(reason)}`,
    ),
  ]);
  return 0;
}

async function list(context: CommandContext, flags: RegionFlags): Promise<number> {
  const { output } = context;
  const address = vaultToRead(context, await context.settings(), flags);
  const holds = await withVault(address, { create: false }, listHolds);
  output.document({ holds: holds.map(document) });
  if (holds.length === 0) {
    output.answer(['Nothing is held.']);
    return 0;
  }
  output.answer(
    renderTable(
      [
        { title: 'HOLD' },
        { title: 'BACKUP' },
        { title: 'COVERS', align: 'right' },
        { title: 'SINCE (UTC)' },
        { title: 'ENDS' },
        { title: 'REASON' },
      ],
      holds.map(({ hold, covers }) => [
        ...[
          hold.id.slice(0, 8),
          hold.backupId.slice(0, 8),
          covers.length === 0 ? 'not there' : plural(covers.length, 'backup'),
        ],
        ...[formatInstant(hold.createdAt).replace(' UTC', ''), untilText(hold), printable(hold.reason)],
      ]),
    ),
  );
  return 0;
}
