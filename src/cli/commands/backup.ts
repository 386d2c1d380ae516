import { type Command, Option } from 'commander';
import { type FullBackupReport, takeFullBackup } from '../../backup/full.ts';
import type { Clock } from '../../core/clock.ts';
import { BackupError } from '../../core/errors.ts';
import { CHUNK_FORMATS, COMPRESSIONS } from '../../core/manifest.ts';
import { bundleFolder } from '../../format/bundle.ts';
import { verifyBackup } from '../../integrity/verify-backup.ts';
import { chooseParallel, parallelOption } from '../arguments.ts';
import { chooseFormat, type FormatFlags, levelHelp, readLevel } from '../backup-format.ts';
import { backupDocument, formatName } from '../backup-names.ts';
import { requireAddress } from '../config.ts';
import { beginStep, type CommandContext, type Start, withStore, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { fileRunner, prepareRanges, rangeRunner } from '../parallel-work.ts';
import { roundedStages } from '../stages.ts';
import { renderPairs } from '../table.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatInstant,
  formatRate,
  plural,
  printable,
} from '../units.ts';
import { systemClock } from '../wire.ts';

interface BackupFlags extends FormatFlags {
  readonly parallel?: number;
  readonly verify: boolean;
}

export function addBackupCommand(program: Command, start: Start): void {
  const backup = program
    .command('backup')
    .description('back up a store into a vault')
    .addHelpText('after', helpEnd(['eventcore backup full'], [0, 2]));
  backup
    .command('full')
    .description('back up all events of a store, and what belongs to them')
    .addOption(
      new Option('--format <format>', 'how chunks are written (default: columns)').choices(CHUNK_FORMATS),
    )
    .addOption(
      new Option('--compression <kind>', 'how chunks are compressed (default: zstd)').choices(COMPRESSIONS),
    )
    .option('--level <n>', levelHelp(), readLevel)
    .option(parallelOption.flags, parallelOption.description, parallelOption.parse)
    .option('--no-verify', 'do not read back what was written before it counts as a backup')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore backup full',
          'eventcore backup full --store postgres://backup@db.example/shop --vault file:/mnt/backups',
          'eventcore backup full --format jsonl        # chunks that zstdcat and jq can read',
          'eventcore backup full --json | jq -r .backupId',
        ],
        [0, 1, 2, 4, 5, 6, 130],
      ),
    )
    .action((flags: BackupFlags) => {
      const attempt: Attempt = { vault: null, backupId: null };
      return start(
        (context) => backUp(context, flags, attempt),
        () => describeLeft(attempt),
      );
    });
}

/** What was begun, so that an interrupted run can say whether something of it is left. */
interface Attempt {
  vault: string | null;
  backupId: string | null;
}

async function backUp(context: CommandContext, flags: BackupFlags, attempt: Attempt): Promise<number> {
  const settings = await context.settings();
  const choice = chooseFormat(flags, settings.backup);
  const parallel = chooseParallel(flags.parallel, settings);
  const storeAddress = requireAddress(settings, 'store');
  const vaultAddress = requireAddress(settings, 'vault');
  prepareRanges(storeAddress, parallel);
  await withStore(storeAddress, async (store) => {
    const { state } = await store.inspect();
    if (state === 'missing') throw nothingThere(store.address);
    await withVault(vaultAddress, { create: true }, async (vault) => {
      attempt.vault = vault.address;
      const startedAtMs = systemClock.now();
      const checker = { vault, clock: systemClock, ...fileRunner(vault, parallel) };
      const { signal, progress } = context;
      const onProgress = progress.update;
      const report = await takeFullBackup(
        {
          ...{ store, vault, clock: notingId(attempt), ...rangeRunner(storeAddress, vault, parallel) },
          ...(flags.verify
            ? {
                verify: (manifest, folder) =>
                  verifyBackup(checker, { manifest, folder }, { quick: false, parallel, onProgress, signal }),
              }
            : {}),
        },
        {
          ...{ ...choice, parallel, software: context.software, onProgress, signal },
          onStep: (step) => beginStep(context, step),
        },
      );
      progress.end();
      const elapsedMs = systemClock.now() - startedAtMs;
      reportBackup(context, report, { store: store.address, vault: vault.address, elapsedMs });
    });
  });
  return 0;
}

/** The first UUID that a backup asks for is its id. */
function notingId(attempt: Attempt): Clock {
  return {
    now: systemClock.now,
    uuid: () => {
      const id = systemClock.uuid();
      attempt.backupId ??= id;
      return id;
    },
  };
}

async function describeLeft({ vault: address, backupId }: Attempt): Promise<string> {
  if (address === null || backupId === null) return 'nothing was written';
  const folder = bundleFolder('full', backupId);
  return withVault(address, { create: false }, async (vault) => {
    for await (const _ of vault.list(folder)) {
      return `${folder} is left behind in ${address}; it is no backup, and \`eventcore list\` shows it`;
    }
    return 'what had been written was removed, nothing is left behind';
  });
}

function nothingThere(address: string): BackupError {
  return new BackupError('not_an_event_store', `there is no event store at ${address}`, {
    hint: 'check the address; `eventcore init --create-store` makes an empty store there',
  });
}

interface Account {
  readonly store: string;
  readonly vault: string;
  readonly elapsedMs: number;
}

function reportBackup({ output, log }: CommandContext, report: FullBackupReport, account: Account): void {
  const { manifest, folder, verification, leftoversRemoved, stages } = report;
  if (leftoversRemoved > 0) {
    log.warn(`removed ${plural(leftoversRemoved, 'piece')} that killed runs had left in the vault`);
  }
  output.document({
    ...backupDocument(manifest),
    ...{
      verified: verification !== null,
      store: account.store,
      vault: account.vault,
      folder,
      leftoversRemoved,
      stages: roundedStages(stages),
    },
    elapsedMs: account.elapsedMs,
  });
  output.account(backupLines(report, account, output.paint));
}

function backupLines(
  { manifest, verification, stages }: FullBackupReport,
  { store, vault, elapsedMs }: Account,
  paint: CommandContext['output']['paint'],
): string[] {
  const { eventRange, durationMs, totalEvents, sizeBytes } = manifest;
  const rate = formatRate(totalEvents, durationMs, 'event');
  const check =
    verification === null
      ? paint('warning', 'no: --no-verify was given')
      : `${paint('good', 'yes')}, all of it was read back and is sound, in ${formatDuration(verification.durationMs)}`;
  return [
    `${paint('good', 'Backed up')} ${printable(store)}`,
    ...renderPairs([
      ['backup', `${manifest.backupId}  (${manifest.kind})`],
      ['vault', printable(vault)],
      ['events', `${formatCount(totalEvents)} in ${plural(manifest.totalStreams, 'stream')}`],
      ...(eventRange === null
        ? []
        : [
            [
              'recorded',
              `${formatInstant(eventRange.earliestEvent)} to ${formatInstant(eventRange.latestEvent)}`,
            ] as const,
          ]),
      [
        'size',
        `${formatBytes(sizeBytes)} as ${formatName(manifest)}, from ${formatBytes(stages.eventBytes)}`,
      ],
      ['verified', check],
      ['time', `${formatDuration(elapsedMs)}${rate === null ? '' : `, reading at ${rate}`}`],
    ]),
  ];
}
