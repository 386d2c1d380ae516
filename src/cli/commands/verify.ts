import type { Command } from 'commander';
import { BackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { BackupVerification } from '../../core/report.ts';
import type { Vault } from '../../core/vault.ts';
import { BACKUPS_PREFIX } from '../../format/bundle.ts';
import {
  type Catalog,
  type CatalogEntry,
  type DamagedEntry,
  findBackup,
  newestBackup,
  readCatalog,
} from '../../format/catalog.ts';
import { type LogTimeline, readLogCatalog } from '../../format/log-catalog.ts';
import { openLogs } from '../../format/log-keys.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import { manifestProblem } from '../../integrity/verify-backup.ts';
import { verifyChains } from '../../integrity/verify-chains.ts';
import { type LogVerification, verifyLog } from '../../integrity/verify-log.ts';
import type { HealReport } from '../../upkeep/heal.ts';
import { chooseParallel, rateLimitOption } from '../arguments.ts';
import { requireAddress, requirePolicy } from '../config.ts';
import { beginStep, type CommandContext, chooseLimit, type Start, withStore, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { healFolders, healLines, suspectFolders } from '../heal.ts';
import { addIdentityOptions, type KeyFlags, loadKeys } from '../keys.ts';
import { fileRunner, prepareFiles } from '../parallel-work.ts';
import { addRecallOption, type RecallFlags, refuseArchived } from '../recalls.ts';
import { addRegionOption, type RegionFlags, vaultToRead } from '../regions.ts';
import { logLines, type Verified, verificationLines } from '../render-verification.ts';
import { plural } from '../units.ts';
import { systemClock } from '../wire.ts';

interface VerifyFlags extends KeyFlags, RegionFlags, RecallFlags {
  readonly heal?: true;
  readonly fromStore?: true;
  readonly quick?: true;
  readonly againstStore?: true;
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
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse)
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore verify',
          'eventcore verify 3f2a9c1e --against-store',
          'eventcore verify --region us-west-2 --heal',
          "eventcore verify --json | jq '.backups[].problems[]'",
        ],
        [0, 2, 3, 4, 5, 6, 7, 8, 130],
      ),
    )
    .action((wanted: string[], flags: VerifyFlags) => start((context) => verify(context, wanted, flags)));
  addIdentityOptions(addRecallOption(addRegionOption(command)));
}

/** A backup to check, or the verdict on one that has no manifest to check it by. */
type Candidate = CatalogEntry | BackupVerification;

async function verify(
  context: CommandContext,
  wanted: readonly string[],
  flags: VerifyFlags,
): Promise<number> {
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
  if (flags.quick !== true) prepareFiles(chooseParallel(undefined, settings));
  const storeAddress = flags.againstStore ? requireAddress(settings, 'store') : null;
  const donorAddress = flags.fromStore ? requireAddress(settings, 'store') : null;
  const limit = chooseLimit(flags, settings, context.signal);
  return withVault(vaultAddress, { create: false, limit }, async (vault) => {
    await refuseArchived(context, vault, 'manifests', flags);
    const check = () => verifyWanted(context, vault, wanted, { flags, keys, storeAddress });
    const first = await check();
    const place = { vault: vault.address, quick: flags.quick === true };
    if (!flags.heal) return reportResults(context, first, null, place);
    const folders = suspectFolders(
      first.catalog,
      first.results.map(({ verification }) => verification),
      first.logs,
    );
    const work = { vault, address: vaultAddress, folders, limit };
    const report = await (donorAddress === null
      ? healFolders(context, settings, { ...work, store: null })
      : withStore(donorAddress, (store) => healFolders(context, settings, { ...work, store })));
    return reportResults(context, report.healed.length === 0 ? first : await check(), report, place);
  });
}

interface Outcome {
  readonly catalog: Catalog;
  readonly results: readonly Verified[];
  readonly logs: readonly LogVerification[];
}

async function verifyWanted(
  context: CommandContext,
  vault: Vault,
  wanted: readonly string[],
  options: { readonly flags: VerifyFlags; readonly keys: ReadKeys; readonly storeAddress: string | null },
): Promise<Outcome> {
  const { flags, keys, storeAddress } = options;
  const all = wanted.length === 0;
  const catalog = await readCatalog(vault);
  const timelines = all ? openLogs(vault, await readLogCatalog(vault), keys) : [];
  const candidates = all
    ? allCandidates(catalog, vault.address, timelines.length > 0)
    : named(catalog, wanted);
  await refuseArchived(context, vault, foldersToRead(catalog, candidates, all), flags);
  const check = (store: EventStore | null) =>
    checkAll(context, { vault, catalog, candidates }, { flags, keys, store, all });
  const results = storeAddress === null ? await check(null) : await withStore(storeAddress, check);
  return { catalog, results, logs: await checkLogs(context, vault, timelines, flags) };
}

function foldersToRead(catalog: Catalog, candidates: readonly Candidate[], all: boolean): string[] {
  if (all) return [BACKUPS_PREFIX];
  const chosen = candidates.filter((candidate): candidate is CatalogEntry => 'manifest' in candidate);
  return withParents(catalog, chosen).map(({ folder }) => folder);
}

/** A vault with nothing to check is refused. */
function allCandidates(catalog: Catalog, vaultAddress: string, hasLogs: boolean): Candidate[] {
  if (catalog.damaged.length === 0 && !hasLogs) newestBackup(catalog, vaultAddress);
  return [...catalog.backups, ...catalog.damaged.map(damagedManifest)];
}

/**
 * What was named, and what it builds on. Throws `backup_not_found`; a damaged or missing manifest is a finding, not a
 * failure.
 */
function named(catalog: Catalog, wanted: readonly string[]): Candidate[] {
  const candidates = new Map<string, Candidate>();
  for (const id of wanted) {
    const candidate = findCandidate(catalog, id);
    const { backupId } = 'manifest' in candidate ? candidate.manifest : candidate;
    candidates.set(backupId, candidate);
  }
  return [...candidates.values()];
}

function findCandidate(catalog: Catalog, wanted: string): Candidate {
  const isWanted = ({ backupId }: { readonly backupId: string }): boolean =>
    backupId === wanted || (wanted.length >= 4 && backupId.startsWith(wanted));
  if (catalog.backups.some(({ manifest }) => isWanted(manifest))) return findBackup(catalog, wanted);
  const damaged = catalog.damaged.find(isWanted);
  if (damaged !== undefined) return damagedManifest(damaged);
  const unfinished = catalog.unfinished.find(isWanted);
  return unfinished === undefined ? findBackup(catalog, wanted) : missingManifest(unfinished.backupId);
}

function damagedManifest({ backupId, code, message }: DamagedEntry): BackupVerification {
  return manifestProblem(systemClock, backupId, code, message);
}

function missingManifest(backupId: string): BackupVerification {
  const message = 'the manifest is missing: the backup never finished, or is being written now';
  return manifestProblem(systemClock, backupId, 'manifest_missing', message);
}

interface CheckOptions {
  readonly flags: VerifyFlags;
  readonly store: EventStore | null;
  readonly keys: ReadKeys;
  /** All that is in the vault, and not what was named. */
  readonly all: boolean;
}

interface Checked {
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly candidates: readonly Candidate[];
}

async function checkAll(
  context: CommandContext,
  { vault, catalog, candidates }: Checked,
  { flags, keys, store, all }: CheckOptions,
): Promise<Verified[]> {
  const parallel = chooseParallel(undefined, await context.settings());
  const ports = { vault, clock: systemClock, ...fileRunner(vault, parallel) };
  const chosen = candidates.filter((candidate): candidate is CatalogEntry => 'manifest' in candidate);
  const verdicts = candidates.filter(
    (candidate): candidate is BackupVerification => !('manifest' in candidate),
  );
  const entries = all ? chosen : withParents(catalog, chosen);
  const compared = new Set(all ? chosen.slice(-1) : chosen);
  let begun = 0;
  const checked = await verifyChains(ports, catalog, entries, {
    ...{ quick: flags.quick === true, parallel, signal: context.signal, keys, trust: keys.trust },
    onProgress: context.progress.update,
    onBackup: ({ manifest }) => {
      begun += 1;
      beginStep(context, `verifying ${manifest.backupId.slice(0, 8)} (${begun} of ${entries.length})`);
    },
    ...(store === null ? {} : { againstStore: { store, backups: compared } }),
  });
  context.progress.end();
  return [
    ...checked.map(({ entry: { manifest }, verification }) => ({ verification, manifest })),
    ...verdicts.map((verification) => ({ verification, manifest: null })),
  ];
}

/** A backup is as sound as what it builds on. */
function withParents(catalog: Catalog, chosen: readonly CatalogEntry[]): CatalogEntry[] {
  const wanted = new Set(chosen);
  for (const { manifest } of wanted) {
    const parent = catalog.backups.find(({ manifest: { backupId } }) => backupId === manifest.parentId);
    if (parent !== undefined) wanted.add(parent);
  }
  return catalog.backups.filter((entry) => wanted.has(entry));
}

async function checkLogs(
  context: CommandContext,
  vault: Vault,
  timelines: readonly LogTimeline[],
  { quick }: VerifyFlags,
): Promise<LogVerification[]> {
  const logs: LogVerification[] = [];
  const { signal, progress } = context;
  for (const timeline of timelines) {
    beginStep(context, `verifying ${timeline.folder}`);
    const options = { quick: quick === true, signal, onProgress: progress.update };
    logs.push(await verifyLog(vault, timeline, options));
  }
  if (timelines.length > 0) progress.end();
  return logs;
}

const UNSOUND = new BackupError('verification_failed', '').exitCode;

function reportResults(
  { output }: CommandContext,
  { results, logs }: Outcome,
  healing: HealReport | null,
  { vault, quick }: { vault: string; quick: boolean },
): number {
  const unsound = results.filter(({ verification }) => !verification.overallValid).length;
  const damagedLogs = logs.filter(({ problems }) => problems.length > 0).length;
  const isSound = unsound === 0 && damagedLogs === 0;
  output.document({
    ...{ overallValid: isSound, vault, quick },
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
  output.account([...healingLines, ...backupLines, ...logLines(logs, output.paint)]);
  return isSound ? 0 : UNSOUND;
}
