import { type Command, Option } from 'commander';
import { type IncrementalReport, takeIncrementalBackup } from '../../backup/incremental.ts';
import type { DifferenceReport } from '../../core/differences.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import { plural } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import { findBackup, readCatalog } from '../../format/catalog.ts';
import { type Chain, followChain, isBroken, requireChain } from '../../format/chain.ts';
import { openChain, type ReadKeys } from '../../format/open-bundle.ts';
import { verifyBackup } from '../../integrity/verify/backup.ts';
import {
  chooseParallel,
  DIFFERENCE_ACTIONS,
  type DifferenceAction,
  parallelOption,
  rateLimitOption,
} from '../arguments.ts';
import {
  COMPRESSION,
  chooseFormat,
  FORMAT,
  type FormatFlags,
  levelHelp,
  readLevel,
} from '../backup/format.ts';
import { chooseSource, orFromPrimary, type SourceFlags, sourceOptions } from '../backup/source.ts';
import { requireAddress, type Settings } from '../config/config.ts';
import { beginStep, type CommandContext, chooseLimit, type Start, withStore, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addKeyOptions, type KeyFlags, loadKeys } from '../keys/keys.ts';
import { addQueueOptions, type QueueFlags } from '../queue/settings.ts';
import { type Attempt, describeLeft, notingId, reportBackup } from '../render/backup-report.ts';
import { differenceLines } from '../render/differences.ts';
import { threadHands } from '../threads/parallel-work.ts';
import { systemClock } from '../wire.ts';

/** Of a queue they are for the full backup that it may become. */
interface IncrementalFlags extends FormatFlags, SourceFlags, KeyFlags, QueueFlags {
  readonly parallel?: number;
  readonly rateLimit?: number;
  readonly verify: boolean;
  readonly parent?: string;
  readonly onDifference?: DifferenceAction;
}

/** Takes a full backup, and says why it is one. */
type TakeFull = (
  context: CommandContext,
  flags: Omit<IncrementalFlags, 'parent' | 'onDifference'>,
  attempt: Attempt,
  instead: string,
) => Promise<number>;

export function addIncrementalCommand(backup: Command, start: Start, takeFull: TakeFull): void {
  const incremental = backup
    .command('incremental')
    .description('back up what came since the last backup; a full backup where that cannot be told exactly')
    .option('--parent <id>', 'the backup to build on, or its first characters (default: the newest)')
    .addOption(
      new Option(
        '--on-difference <action>',
        'when the store has lost or changed what was backed up: stop and say so, or take a full backup (default: alarm)',
      ).choices(DIFFERENCE_ACTIONS),
    )
    .addOption(FORMAT)
    .addOption(COMPRESSION)
    .option('--level <n>', levelHelp(), readLevel)
    .option(parallelOption.flags, parallelOption.description, parallelOption.parse)
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse)
    .option('--no-verify', 'do not read back what was written before it counts as a backup')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore backup incremental',
          'eventcore backup incremental --on-difference full',
          "eventcore backup incremental --json | jq '.kind, .totalEvents'",
        ],
        [0, 1, 2, 3, 4, 5, 6, 8, 11, 130],
      ),
    )
    .action((flags: IncrementalFlags) => {
      const attempt: Attempt = { kind: 'incremental', vault: null, backupId: null };
      return start(
        (context) => backUp(context, flags, attempt, takeFull),
        () => describeLeft(attempt),
      );
    });
  for (const option of sourceOptions()) incremental.addOption(option);
  addQueueOptions(addKeyOptions(incremental));
}

async function backUp(
  context: CommandContext,
  flags: IncrementalFlags,
  attempt: Attempt,
  takeFull: TakeFull,
): Promise<number> {
  const settings = await context.settings();
  const vaultAddress = requireAddress(settings, 'vault');
  const keys = await loadKeys(settings, flags, context);
  const storeAddress = await chooseSource(context, flags, settings);
  const limit = chooseLimit(flags, settings, context.signal);
  const outcome = await withVault(vaultAddress, { create: true, limit }, async (vault) => {
    attempt.vault = vault.address;
    const found = await chooseChain(vault, flags.parent);
    const chain = typeof found === 'string' ? found : await openKnown(vault, found, keys);
    if (typeof chain === 'string') return { fullBecause: chain };
    const work = (store: EventStore) =>
      takeOne({ context, flags, settings, attempt, keys }, { store, vault, chain });
    return orFromPrimary(context, flags, settings, storeAddress, (address) => withStore(address, work));
  });
  if ('exitCode' in outcome) return outcome.exitCode;
  // The threads of a full backup, and its own view of the store, begin anew.
  context.log.warn(`taking a full backup: ${outcome.fullBecause}`);
  Object.assign(attempt, { kind: 'full', backupId: null });
  return takeFull(context, flags, attempt, outcome.fullBecause);
}

interface Run {
  readonly context: CommandContext;
  readonly flags: IncrementalFlags;
  readonly settings: Settings;
  readonly attempt: Attempt;
  readonly keys: ReadKeys;
}

interface Source {
  readonly store: EventStore;
  readonly vault: Vault;
  readonly chain: Chain;
}

/** The chain to build on, or why there is none. Throws when a backup was named that cannot be used. */
async function chooseChain(vault: Vault, wanted: string | undefined): Promise<Chain | string> {
  const catalog = await readCatalog(vault);
  if (wanted !== undefined) return requireChain(catalog, findBackup(catalog, wanted));
  const newest = catalog.backups.at(-1);
  if (newest === undefined) return 'there is no backup to build on yet';
  const chain = followChain(catalog, newest);
  return isBroken(chain) ? `the last backup cannot be built on: ${chain.message}` : chain;
}

/**
 * The chain, as far as this host can know what it holds; or why it cannot: then a full backup begins a chain that it knows. A
 * key that was given and does not fit is a mistake all the same.
 */
async function openKnown(vault: Vault, chain: Chain, keys: ReadKeys): Promise<Chain | string> {
  try {
    return await openChain(vault, chain, keys, 'heads');
  } catch (error) {
    if (!isBackupError(error, 'key_missing')) throw error;
    return 'the last backup is sealed, and this host has no key that tells what it holds';
  }
}

async function takeOne(
  run: Run,
  { store, vault, chain }: Source,
): Promise<{ exitCode: number } | { fullBecause: string }> {
  const { context, flags, settings, attempt, keys } = run;
  const startedAtMs = systemClock.now();
  const parallel = chooseParallel(flags.parallel, settings);
  const { signal, progress, software } = context;
  const onProgress = progress.update;
  const checker = { vault, clock: systemClock, ...threadHands(parallel).files(vault) };
  const verify: Parameters<typeof takeIncrementalBackup>[0]['verify'] = (backup, before) =>
    verifyBackup(checker, backup, { quick: false, parallel, onProgress, signal, before });
  const outcome = await takeIncrementalBackup(
    { store, vault, clock: systemClock, keys, ...(flags.verify ? { verify } : {}) },
    chain,
    {
      ...{ ...chooseFormat(flags, settings.backup), parallel, software, onProgress, signal },
      onStep: (step) => beginStep(context, step),
      onBegin: notingId(attempt),
    },
  );
  progress.end();
  if (outcome.kind === 'full-needed') return { fullBecause: outcome.reason };
  if (outcome.kind === 'differs') return judge(run, store, outcome.differences);
  const elapsedMs = systemClock.now() - startedAtMs;
  report(context, outcome.report, { store: store.address, vault: vault.address, elapsedMs });
  return { exitCode: 0 };
}

function report(
  context: CommandContext,
  { headsReason, ...taken }: IncrementalReport,
  account: { store: string; vault: string; elapsedMs: number },
): void {
  if (taken.uncompared > 0) context.log.warn(uncomparedText(taken.uncompared));
  if (headsReason !== null) context.log.info(`streams were compared one by one: ${headsReason}`);
  reportBackup(context, taken, { ...account, headsReason });
}

function uncomparedText(events: number): string {
  return `${plural(events, 'event')} of earlier backups showed up again, and their contents were not compared: this host cannot open those backups`;
}

/** What the store lost or changed is told in any case; what follows is the user's choice. */
function judge(
  { context, flags, settings }: Run,
  store: EventStore,
  differences: DifferenceReport,
): { exitCode: number } | { fullBecause: string } {
  const action = flags.onDifference ?? settings.backup.on_difference ?? 'alarm';
  const { lost, changed, diverged } = differences.events;
  const counts = [`${lost} lost`, `${changed} changed`, `${diverged} replaced by others`];
  const said = `${plural(lost + changed + diverged, 'event')} of the last backup differ in the store: ${counts.join(', ')}`;
  if (action === 'full') {
    for (const line of differenceLines(differences)) context.log.warn(line);
    return { fullBecause: said };
  }
  if (context.output.isQuiet) throw differs(said);
  context.output.document({ overallValid: false, store: store.address, ...differences });
  context.output.account([context.output.paint('bad', said), ...differenceLines(differences), ...WAY_OUT]);
  return { exitCode: differs(said).exitCode };
}

const WAY_OUT = [
  'Nothing was backed up. If this was meant (an erasure, a restore, a failover), begin a new chain:',
  '  eventcore backup full',
];

function differs(message: string): BackupError {
  return new BackupError('store_diverged', message, {
    hint: 'find out why; if it was meant, begin a new chain with `eventcore backup full`',
  });
}
