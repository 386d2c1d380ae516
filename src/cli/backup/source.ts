import { Option } from 'commander';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { BACKUP_TARGETS, type BackupTarget } from '../arguments.ts';
import { requireAddress, type Settings } from '../config/config.ts';
import { type CommandContext, withStore } from '../context.ts';

export interface SourceFlags {
  readonly standby?: string;
  readonly target?: BackupTarget;
}

export function sourceOptions(): Option[] {
  return [
    new Option('--standby <store>', 'address of a hot standby of the store, to read from'),
    new Option('--target <which>', 'which of the two is read (default: primary)').choices(BACKUP_TARGETS),
  ];
}

/**
 * The address to read from. A standby that cannot be read is passed over with `prefer-standby`; with `standby` the backup
 * fails. Throws `usage` when a standby is wanted and none is named.
 */
export async function chooseSource(
  context: CommandContext,
  flags: SourceFlags,
  settings: Settings,
): Promise<string> {
  const primary = requireAddress(settings, 'store');
  const target = targetOf(flags, settings);
  if (target === 'primary') return primary;
  const standby = flags.standby ?? settings.standby;
  if (standby === null) {
    throw new BackupError('usage', `target ${target} needs a standby, and none is named`, {
      hint: 'pass --standby ADDRESS, or write `standby:` into the configuration',
    });
  }
  if (target === 'standby') return standby;
  const fault = await findFault(standby);
  if (fault === null) return standby;
  context.log.warn(`reading from the primary: ${fault}`);
  return primary;
}

/** A standby that is only preferred, and has not seen yet what was backed up last, is passed over too. */
export async function orFromPrimary<Result>(
  context: CommandContext,
  flags: SourceFlags,
  settings: Settings,
  address: string,
  work: (address: string) => Promise<Result>,
): Promise<Result> {
  try {
    return await work(address);
  } catch (error) {
    const isPreferred = targetOf(flags, settings) === 'prefer-standby';
    if (!isPreferred || !isBackupError(error, 'store_behind')) throw error;
    context.log.warn(`reading from the primary: ${error.message}`);
    return work(requireAddress(settings, 'store'));
  }
}

function targetOf(flags: SourceFlags, settings: Settings): BackupTarget {
  return flags.target ?? settings.backup.target ?? 'primary';
}

/** Why the standby cannot be read; null when it can. */
async function findFault(standby: string): Promise<string | null> {
  try {
    const { state } = await withStore(standby, (store) => store.inspect());
    return state === 'missing' ? 'there is no event store on the standby' : null;
  } catch (error) {
    if (isBackupError(error, 'store_unreachable', 'store_refused')) return error.message;
    throw error;
  }
}
