import type { Command } from 'commander';
import { BackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { BackupVerification } from '../../core/report.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import { plural } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import { BACKUPS_PREFIX } from '../../format/bundle.ts';
import { type Catalog, type CatalogEntry, readCatalog } from '../../format/catalog.ts';
import { type LogTimeline, readLogCatalog } from '../../format/log-catalog.ts';
import { openLogs } from '../../format/log-keys.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import { verifyChains } from '../../integrity/verify/chains.ts';
import { type LogVerification, verifyLog } from '../../integrity/verify/log.ts';
import { makeRecorder, type Recorder } from '../../integrity/verify/record-verified.ts';
import { unitOfBackup, unitOfFile, unitOfLogFile } from '../../integrity/verify/verified-units.ts';
import type { HealReport } from '../../upkeep/heal.ts';
import { redactAddress } from '../address.ts';
import { chooseParallel, rateLimitOption } from '../arguments.ts';
import { requireAddress, requirePolicy, type Settings } from '../config/config.ts';
import { beginStep, type CommandContext, chooseLimit, type Start, withStore, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags, loadKeys } from '../keys/keys.ts';
import { withHands } from '../queue/queue-hands.ts';
import { addQueueOptions, namesQueue, type QueueFlags } from '../queue/settings.ts';
import { addRegionOption, type RegionFlags, vaultToRead } from '../regions.ts';
import { logLines, type Verified, verificationLines } from '../render/verification.ts';
import { addRecallOption, type RecallFlags, refuseArchived } from '../restore/recalls.ts';
import { readSpan } from '../retention-flags.ts';
import type { Hands } from '../threads/hands.ts';
import { prepareFiles } from '../threads/parallel-work.ts';
import { allCandidates, type Candidate, entriesOf, named } from '../verify/candidates.ts';
import {
  type Choice,
  type ChoiceFlags,
  checkChoice,
  choiceDocument,
  choiceLines,
  chooseUnits,
  chosenLogs,
  chosenOf,
  readShare,
} from '../verify/choice.ts';
import { healFolders, healLines, suspectFolders } from '../verify/heal.ts';
import { limitVault, systemClock } from '../wire.ts';

interface VerifyFlags extends KeyFlags, RegionFlags, RecallFlags, ChoiceFlags, QueueFlags {
  readonly heal?: true;
  readonly record: boolean;
  readonly payloads?: true;
  readonly fromStore?: true;
  readonly rateLimit?: number;
}

export function addVerifyCommand(program: Command, start: Start): void {
  const command = program
    .command('verify')
    .description('prove that backups are whole and sound')
    .argument(
      '[backup...]',
      'ids of backups, or their first characters (default: all in the vault, and the change log)',
    )
    .option('--quick', 'only existence, sizes, tables and how things follow one another: no event is read')
    .option('--against-store', 'compare with the live store too; when all are verified, the newest one')
    .option(
      '--heal',
      'replace what is damaged or missing by what another region has sound, then verify again',
    )
    .option(
      '--from-store',
      'with --heal: make anew, to the byte, what no region has and the live store still holds',
    )
    .option(
      '--share <percent>',
      'only so much of the vault, as 5%: what was not verified for the longest time comes first',
      readShare,
    )
    .option('--not-since <span>', 'leave out what was found sound within this time, as 12h', readSpan)
    .option('--payloads', 'also count data and metadata that are no JSON, as the store has them; slower')
    .option('--no-record', 'do not write into the vault what was verified')
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse)
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore verify',
          'eventcore verify 3f2a9c1e --against-store',
          'eventcore verify --share 5%                 # once a day: all of it in twenty days',
          'eventcore verify --not-since 12h            # goes on where a run was stopped',
          'eventcore verify --region us-west-2 --heal',
          "eventcore verify --json | jq '.backups[].problems[]'",
        ],
        [0, 2, 3, 4, 5, 6, 7, 8, 11, 130],
      ),
    )
    .action((wanted: string[], flags: VerifyFlags) =>
      start((context) => verify(context, wanted, flags), isRecorded(flags) ? LEFT : undefined),
    );
  addQueueOptions(addIdentityOptions(addRecallOption(addRegionOption(command))));
}

const LEFT = 'what was verified is remembered; `eventcore verify --not-since 12h` goes on with the rest';

/** A quick look reads no event: it is nothing to remember. */
function isRecorded({ record, quick }: VerifyFlags): boolean {
  return record && quick !== true;
}

async function verify(
  context: CommandContext,
  wanted: readonly string[],
  flags: VerifyFlags,
): Promise<number> {
  checkChoice(flags);
  const settings = await context.settings();
  const keys = await loadKeys(settings, flags, context);
  const vaultAddress = vaultToRead(context, settings, flags);
  if (flags.fromStore && !flags.heal) {
    throw new BackupError('usage', '--from-store goes with --heal', {
      hint: 'add --heal to mend what is damaged',
    });
  }
  // Without a policy there are no regions, and the store is all that can be asked.
  const isFromStoreAlone = flags.fromStore && settings.policy === null;
  if (flags.heal && !isFromStoreAlone) requirePolicy(settings, (message) => context.log.warn(message));
  // Workers have threads of their own.
  const isAlone = !namesQueue(context, flags, settings);
  if (flags.quick !== true && isAlone) prepareFiles(chooseParallel(undefined, settings));
  const storeAddress = flags.againstStore ? requireAddress(settings, 'store') : null;
  const donorAddress = flags.fromStore ? requireAddress(settings, 'store') : null;
  const asked = {
    purpose: 'verify',
    what: `verify ${redactAddress(vaultAddress)}`,
    parallel: undefined,
  } as const;
  return withVault(vaultAddress, { create: false }, (opened) =>
    withHands(context, { flags, settings }, asked, (hands) =>
      verifyOpened(context, settings, {
        ...{ wanted, flags, keys, storeAddress, hands, opened, vaultAddress, donorAddress },
      }),
    ),
  );
}

interface OpenedWork extends Omit<Work, 'vault' | 'recorder'> {
  readonly opened: Vault;
  readonly vaultAddress: string;
  readonly donorAddress: string | null;
}

async function verifyOpened(
  context: CommandContext,
  settings: Settings,
  { opened, vaultAddress, donorAddress, ...given }: OpenedWork,
): Promise<number> {
  const { flags, keys } = given;
  const limit = chooseLimit(flags, settings, context.signal);
  const vault = limit === null ? opened : limitVault(opened, limit);
  await refuseArchived(context, vault, 'manifests', flags);
  // What is to be remembered is small, and must be written also when the user wants to stop.
  const recorder = isRecorded(flags) ? startRecorder(context, opened) : null;
  const place = { vault: vault.address, quick: flags.quick === true };
  const work: Work = { ...given, vault, recorder };
  try {
    const first = await verifyWanted(context, work, null);
    if (!flags.heal) return await reportResults(context, first, null, { ...place, flags });
    const folders = suspectFolders(
      first.catalog,
      first.results.map(({ verification }) => verification),
      first.logs,
    );
    const healing = { vault, address: vaultAddress, folders, trust: keys.trust, limit };
    const report = await (donorAddress === null
      ? healFolders(context, settings, { ...healing, store: null })
      : withStore(donorAddress, (store) => healFolders(context, settings, { ...healing, store })));
    const last = report.healed.length === 0 ? first : await verifyWanted(context, work, first.choice);
    return await reportResults(context, last, report, { ...place, flags });
  } finally {
    await recorder?.end();
  }
}

function startRecorder({ log, software }: CommandContext, vault: Vault): Recorder {
  const onRefused = ({ message }: BackupError): void =>
    log.warn(`what is verified is not remembered, since the vault takes no record of it: ${message}`);
  return makeRecorder({ vault, clock: systemClock }, { software, onRefused });
}

interface Work {
  readonly vault: Vault;
  readonly wanted: readonly string[];
  readonly flags: VerifyFlags;
  readonly keys: ReadKeys;
  readonly storeAddress: string | null;
  readonly recorder: Recorder | null;
  readonly hands: Hands;
}

interface Outcome {
  readonly catalog: Catalog;
  readonly results: readonly Verified[];
  readonly logs: readonly LogVerification[];
  /** Null: all. */
  readonly choice: Choice | null;
}

/** `before`: what was chosen the first time, to verify the same again. */
async function verifyWanted(context: CommandContext, work: Work, before: Choice | null): Promise<Outcome> {
  const { vault, wanted, flags, keys, storeAddress, recorder, hands } = work;
  const all = wanted.length === 0;
  const catalog = await readCatalog(vault);
  const timelines = all ? openLogs(vault, await readLogCatalog(vault), keys) : [];
  const candidates = all
    ? allCandidates(catalog, vault.address, timelines.length > 0)
    : named(catalog, wanted);
  await refuseArchived(context, vault, foldersToRead(catalog, candidates, all), flags);
  const entries = entriesOf(catalog, candidates, all);
  const choice = before ?? (await chooseUnits(vault, { entries, timelines }, flags, systemClock.now()));
  const checked: Checked = { vault, catalog, candidates, entries, choice };
  const check = (store: EventStore | null) =>
    checkAll(context, checked, { flags, keys, store, all, recorder, hands });
  const results = storeAddress === null ? await check(null) : await withStore(storeAddress, check);
  return {
    catalog,
    results,
    logs: await checkLogs(context, checked, timelines, { flags, recorder }),
    choice,
  };
}

function foldersToRead(catalog: Catalog, candidates: readonly Candidate[], all: boolean): string[] {
  if (all) return [BACKUPS_PREFIX];
  return entriesOf(catalog, candidates, all).map(({ folder }) => folder);
}

interface CheckOptions {
  readonly flags: VerifyFlags;
  readonly store: EventStore | null;
  readonly keys: ReadKeys;
  /** All that is in the vault, and not what was named. */
  readonly all: boolean;
  readonly recorder: Recorder | null;
  readonly hands: Hands;
}

interface Checked {
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly candidates: readonly Candidate[];
  readonly entries: readonly CatalogEntry[];
  readonly choice: Choice | null;
}

async function checkAll(
  context: CommandContext,
  { vault, catalog, candidates, entries, choice }: Checked,
  { flags, keys, store, all, recorder, hands }: CheckOptions,
): Promise<Verified[]> {
  const { parallel } = hands;
  const ports = { vault, clock: systemClock, ...hands.files(vault) };
  const chosen = candidates.filter((candidate): candidate is CatalogEntry => 'manifest' in candidate);
  const verdicts = candidates.filter(
    (candidate): candidate is BackupVerification => !('manifest' in candidate),
  );
  const compared = new Set(all ? chosen.slice(-1) : chosen);
  const taken = chosenOf(choice, entries);
  let begun = 0;
  const checked = await verifyChains(ports, catalog, taken.entries, {
    ...{ quick: flags.quick === true, parallel, signal: context.signal, keys, trust: keys.trust },
    ...{ files: taken.files, payloads: flags.payloads, onProgress: context.progress.update },
    onBackup: ({ manifest }) => {
      begun += 1;
      beginStep(context, `verifying ${manifest.backupId.slice(0, 8)} (${begun} of ${taken.entries.length})`);
    },
    onFile: (entry, file) => recorder?.note(unitOfFile(entry, file, nowText())),
    onVerified: (verified) => {
      const unit = unitOfBackup(verified, nowText());
      if (unit !== null) recorder?.note(unit);
    },
    ...(store === null ? {} : { againstStore: { store, backups: compared } }),
  });
  context.progress.end();
  return [
    ...checked.map(({ entry: { manifest }, verification }) => ({ verification, manifest })),
    ...verdicts.map((verification) => ({ verification, manifest: null })),
  ];
}

function nowText(): string {
  return formatTime(timeFromUnixMs(systemClock.now()), 3);
}

async function checkLogs(
  context: CommandContext,
  { vault, choice }: Checked,
  timelines: readonly LogTimeline[],
  { flags, recorder }: Pick<CheckOptions, 'flags' | 'recorder'>,
): Promise<LogVerification[]> {
  const logs: LogVerification[] = [];
  const { signal, progress } = context;
  for (const timeline of chosenLogs(choice, timelines)) {
    beginStep(context, `verifying ${timeline.folder}`);
    const verification = await verifyLog(vault, timeline, {
      ...{ quick: flags.quick === true, files: choice?.names, signal, onProgress: progress.update },
      onFile: (...checked) => recorder?.note(unitOfLogFile(...checked, nowText())),
    });
    logs.push(verification);
  }
  if (timelines.length > 0) progress.end();
  return logs;
}

const UNSOUND = new BackupError('verification_failed', '').exitCode;

function reportResults(
  { output }: CommandContext,
  { results, logs, choice }: Outcome,
  healing: HealReport | null,
  { vault, quick, flags }: { vault: string; quick: boolean; flags: ChoiceFlags },
): number {
  const unsound = results.filter(({ verification }) => !verification.overallValid).length;
  const damagedLogs = logs.filter(({ problems }) => problems.length > 0).length;
  const isSound = unsound === 0 && damagedLogs === 0;
  output.document({
    ...{ overallValid: isSound, vault, quick },
    ...(choice === null ? {} : { choice: choiceDocument(choice, flags) }),
    backups: results.map(({ verification }) => verification),
    log: logs,
    ...(healing === null ? {} : { healing }),
  });
  if (output.isQuiet && !isSound) {
    const failed = [
      ...(unsound > 0 ? [`${unsound} of ${plural(results.length, 'backup')}`] : []),
      ...(damagedLogs > 0 ? [`${damagedLogs} of ${plural(logs.length, 'log')}`] : []),
    ];
    throw new BackupError('verification_failed', `${failed.join(' and ')} failed`, {
      hint: 'run `eventcore verify` without --quiet to see what is wrong',
    });
  }
  const backupLines = results.length > 0 ? verificationLines(results, { vault, quick }, output.paint) : [];
  const healingLines = healing === null ? [] : healLines(healing, output.paint);
  const shareLines = choice === null ? [] : choiceLines(choice, output.paint);
  const apart = unsound > 0 && logs.length > 0 ? [''] : [];
  output.account([
    ...[...healingLines, ...shareLines, ...backupLines],
    ...[...apart, ...logLines(logs, output.paint)],
  ]);
  return isSound ? 0 : UNSOUND;
}
