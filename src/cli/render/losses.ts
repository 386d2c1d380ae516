import { Option } from 'commander';
import { BackupError } from '../../core/errors.ts';
import { formatCount, plural, printable } from '../../core/units.ts';
import { type AllowedLoss, DELIVERY_ORDER, isAllowed, type Loss } from '../../recovery/conversion.ts';
import type { CommandContext } from '../context.ts';

/** The exit code of a dry run of what would be refused. */
export const WOULD_LOSE = 9;

export function allowLossOption(): Option {
  return new Option(
    '--allow-loss <fields>',
    'what a target of another layout has no place for and may be lost, by name, or all; --dry-run lists it',
  ).argParser((text: string): AllowedLoss => {
    const fields = text.split(',').map((field) => field.trim());
    if (fields.some((field) => field === ''))
      throw new BackupError('usage', `--allow-loss ${JSON.stringify(text)} has an empty name`, {
        hint: 'name fields with commas between them, or all',
      });
    return fields.length === 1 && fields[0] === 'all' ? 'all' : fields;
  });
}

export function refusedFields(losses: readonly Loss[], allowed: AllowedLoss = []): string[] {
  return losses.filter((loss) => !isAllowed(loss, allowed)).map(({ field }) => field);
}

export function lossDocument(
  lost: readonly Loss[],
  allowed: AllowedLoss | undefined,
): { readonly lost?: readonly Loss[]; readonly refused?: readonly string[] } {
  return lost.length === 0 ? {} : { lost, refused: refusedFields(lost, allowed) };
}

const OF: Record<Loss['kind'], (loss: Loss) => string> = {
  column: ({ count }) => `of ${plural(count, 'event')}`,
  table: ({ count }) => `a table with ${plural(count, 'row')}`,
  order: ({ count }) =>
    `${formatCount(count)} ids do not tell what came first: they are delivered in the order of their ids`,
};

export function lossPairs(
  losses: readonly Loss[],
  allowed: AllowedLoss | undefined,
  paint: CommandContext['output']['paint'],
): [string, string][] {
  const refused = refusedFields(losses, allowed);
  const pairs = losses.map((loss): [string, string] => {
    const name = loss.field === DELIVERY_ORDER ? loss.field : printable(loss.field);
    return ['lost', `${name}, ${OF[loss.kind](loss)}`];
  });
  if (refused.length === 0) return pairs;
  const fields = losses.map(({ field }) => field).join(',');
  return [...pairs, ['refused', paint('warning', `without --allow-loss ${printable(fields)}`)]];
}
