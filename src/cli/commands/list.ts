import { join } from 'node:path';
import type { Command } from 'commander';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import { formatBytes, formatDuration, plural, printable } from '../../core/units.ts';
import { type Catalog, readCatalog, type UnfinishedEntry } from '../../format/catalog.ts';
import { readLogCatalog } from '../../format/log-catalog.ts';
import { type LogSurvey, surveyLogs } from '../../recovery/survey.ts';
import { vaultPath, vaultScheme } from '../address.ts';
import { backupDocument } from '../backup/names.ts';
import { type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addFleetOptions, type FleetFlags, readFleet } from '../fleet/flags.ts';
import { addRegionOption, type RegionFlags, vaultToRead } from '../regions.ts';
import { chainLines, type ListedBackup, listBackups } from '../render/chains.ts';
import { fleetDocument, fleetListLines } from '../render/fleet.ts';
import { logDocuments, logLines } from '../render/log.ts';
import { verifiedDocument } from '../render/verified.ts';
import { refuseArchived } from '../restore/recalls.ts';
import { findLag, lagLines } from '../status/log-lag.ts';
import { readMemory } from '../verify/verified.ts';
import { systemClock } from '../wire.ts';

export function addListCommand(program: Command, start: Start): void {
  const command = program
    .command('list')
    .description('show the backups of a vault, by chains, and the instants that they can bring back');
  addFleetOptions(addRegionOption(command))
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore list',
          'eventcore list --vault /mnt/backups',
          'eventcore list --region us-west-2',
          'eventcore list --config fleet.yaml --fleet',
          'eventcore list --json | jq .recoveryWindows',
        ],
        [0, 2, 6, 10],
      ),
    )
    .action((flags: RegionFlags & FleetFlags) =>
      start((context) => (flags.fleet ? listFleet(context, flags) : list(context, flags))),
    );
}

/** Ends with 10 where of some store nothing could be read. */
async function listFleet(context: CommandContext, flags: FleetFlags): Promise<number> {
  const { output } = context;
  const { rows, count } = await readFleet(context, flags);
  const nowMs = systemClock.now();
  output.document(fleetDocument(rows, count, formatTime(timeFromUnixMs(nowMs), 3)));
  output.answer(fleetListLines(rows, count, nowMs, output.paint));
  return rows.some(({ state }) => state === 'unreadable') ? 10 : 0;
}

async function list(context: CommandContext, flags: RegionFlags): Promise<number> {
  const { output } = context;
  const settings = await context.settings();
  await withVault(vaultToRead(context, settings, flags), { create: false }, async (vault) => {
    await refuseArchived(context, vault, 'manifests', {});
    const catalog = await readCatalog(vault);
    const survey = await surveyLogs(vault, catalog, await readLogCatalog(vault));
    const lag = await findLag(settings.store, survey.spans, systemClock.now());
    const listed = listBackups(catalog, await readMemory(vault, systemClock.now()));
    output.document({ ...listDocument(catalog, listed, survey, vault.address), lag });
    output.answer([
      ...listLines(catalog, listed, vault.address, context),
      ...logLines(survey, output.paint),
      ...lagLines(lag, output.paint),
    ]);
  });
  return 0;
}

function listDocument(
  catalog: Catalog,
  listed: readonly ListedBackup[],
  survey: LogSurvey,
  vault: string,
): Record<string, unknown> {
  return {
    vault,
    backups: listed.map(({ entry, broken, verified }) => ({
      ...{ ...backupDocument(entry.manifest), chainBroken: broken, ...verifiedDocument(verified) },
    })),
    // A backup alone brings back one instant: that of its snapshot.
    recoveryWindows: survey.windows,
    gaps: survey.gaps,
    log: logDocuments(survey),
    logProblems: survey.problems,
    unfinished: catalog.unfinished.map(({ modifiedAtMs, ...entry }) => ({
      ...entry,
      modifiedAt: formatTime(timeFromUnixMs(modifiedAtMs), 3),
    })),
    damaged: catalog.damaged,
  };
}

function listLines(
  catalog: Catalog,
  listed: readonly ListedBackup[],
  vault: string,
  { output: { paint } }: CommandContext,
): string[] {
  const { length } = catalog.backups;
  const lines =
    length === 0
      ? [`No backup in ${printable(vault)}.`]
      : [paint('strong', `${plural(length, 'backup')} in ${printable(vault)}`), ...chainLines(listed, paint)];
  return [...lines, ...damagedLines(catalog, paint), ...unfinishedLines(catalog.unfinished, vault, paint)];
}

type Paint = CommandContext['output']['paint'];

function damagedLines({ damaged }: Catalog, paint: Paint): string[] {
  if (damaged.length === 0) return [];
  return [
    '',
    paint('bad', `${plural(damaged.length, 'backup')} that cannot be trusted`),
    ...damaged.map(({ backupId, kind, message }) => `  ${backupId}  ${kind}  ${printable(message)}`),
    damaged.every(({ code }) => code === 'format_unknown')
      ? '  A newer program wrote it: use that one.'
      : '  Take it from another copy of this vault; until then restore from another backup.',
  ];
}

function unfinishedLines(unfinished: readonly UnfinishedEntry[], vault: string, paint: Paint): string[] {
  if (unfinished.length === 0) return [];
  return [
    '',
    paint('warning', `${plural(unfinished.length, 'attempt')} without a manifest: not a backup`),
    ...unfinished.map((entry) => `  ${entry.backupId}  ${entry.kind}  ${attemptSize(entry)}`),
    ...(unfinished.some(({ canBeTakenUp }) => canBeTakenUp)
      ? ['  `eventcore backup full` goes on with one that can be taken up.']
      : []),
    ...removalLines(unfinished, vault),
  ];
}

function removalLines(unfinished: readonly UnfinishedEntry[], vault: string): string[] {
  const free = '  If no backup is being written to this vault now, they can go';
  if (vaultScheme(vault) === 'file') {
    const paths = unfinished.map(({ folder }) => join(vaultPath(vault), folder));
    return [`${free}:`, ...paths.map((path) => `    rm -r ${shellWord(path)}`)];
  }
  const [bucket] = vault.replace(/^[^:]+/, 's3').split('?');
  return [`${free}, by any tool for S3:`, ...unfinished.map(({ folder }) => `    ${bucket}/${folder}`)];
}

function attemptSize({ objects, sizeBytes, modifiedAtMs, canBeTakenUp }: UnfinishedEntry): string {
  const age = formatDuration(Math.max(0, systemClock.now() - modifiedAtMs));
  return `${plural(objects, 'file')}, ${formatBytes(sizeBytes)}, last written ${age} ago${canBeTakenUp ? ', can be taken up' : ''}`;
}

/** A path as a word of a shell, in quotes where it needs them. */
function shellWord(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
