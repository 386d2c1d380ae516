import type { Command } from 'commander';
import { BackupError } from '../../core/errors.ts';
import { formatCount, formatDuration } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import { archivedManifests, archivedObjects, recallObjects } from '../../upkeep/recall.ts';
import { beginStep, type CommandContext } from '../context.ts';

export interface RecallFlags {
  readonly waitForArchive?: true;
}

export function addRecallOption<Options extends Command>(command: Options): Options {
  return command.option(
    '--wait-for-archive',
    'wait until what lies in an archive tier can be read; else it is asked for, and this ends',
  );
}

/** Manifests first: they say what there is. Throws `object_archived` when some cannot be read yet. */
export async function recallManifests(
  context: CommandContext,
  vault: Vault,
  flags: RecallFlags,
): Promise<void> {
  await recall(context, vault, await archivedManifests(vault), flags);
}

/** Asks for all objects of some backups. Throws `object_archived` when some cannot be read yet. */
export async function recallBackups(
  context: CommandContext,
  vault: Vault,
  folders: readonly string[],
  flags: RecallFlags,
): Promise<void> {
  await recall(context, vault, await archivedObjects(vault, folders), flags);
}

/** To read all of an archive costs: only who says so has it brought back. Nothing is asked for otherwise. */
export async function refuseArchived(
  context: CommandContext,
  vault: Vault,
  folders: readonly string[] | 'manifests',
  flags: RecallFlags,
): Promise<void> {
  const names =
    folders === 'manifests' ? await archivedManifests(vault) : await archivedObjects(vault, folders);
  if (names.length === 0 || flags.waitForArchive) return recall(context, vault, names, flags);
  throw new BackupError(
    'object_archived',
    `${formatCount(names.length)} objects are in the archive tier of ${vault.address} and cannot be read`,
    {
      hint: 'to have them brought back, which may cost, and wait for that, pass --wait-for-archive to `verify` or `restore`',
      facts: { waiting: names.length, objects: names.length },
    },
  );
}

async function recall(
  context: CommandContext,
  vault: Vault,
  names: readonly string[],
  { waitForArchive }: RecallFlags,
): Promise<void> {
  if (names.length === 0) return;
  let isTold = false;
  await recallObjects(vault, names, {
    ...{ wait: waitForArchive === true, signal: context.signal },
    onWaiting: ({ waiting, objects, usuallyMs }) => {
      const long = usuallyMs === null ? '' : `; it usually takes up to ${formatDuration(usuallyMs)}`;
      const said = `waiting for ${formatCount(waiting)} of ${formatCount(objects)} archived objects${long}`;
      beginStep(context, said);
      if (!isTold) context.log.warn(said);
      isTold = true;
    },
  });
  context.progress.end();
}
