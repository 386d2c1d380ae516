import type { Command } from 'commander';
import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { Manifest } from '../../core/manifest.ts';
import type { BackupVerification } from '../../core/report.ts';
import type { Vault } from '../../core/vault.ts';
import {
  type Catalog,
  type CatalogEntry,
  type DamagedEntry,
  findBackup,
  newestBackup,
  readCatalog,
} from '../../format/catalog.ts';
import { manifestProblem, verifyBackup } from '../../integrity/verify-backup.ts';
import { chooseParallel } from '../arguments.ts';
import { requireAddress } from '../config.ts';
import { beginStep, type CommandContext, type Start, withStore, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { fileRunner, prepareFiles } from '../parallel-work.ts';
import { verificationLines } from '../render-verification.ts';
import { plural } from '../units.ts';
import { systemClock } from '../wire.ts';

interface VerifyFlags {
  readonly quick?: true;
  readonly againstStore?: true;
}

export function addVerifyCommand(program: Command, start: Start): void {
  program
    .command('verify')
    .description('prove that backups are whole and sound')
    .argument('[backup...]', 'ids of backups, or their first characters (default: all in the vault)')
    .option('--quick', 'only existence, sizes and tables: no event is read')
    .option('--against-store', 'compare with the live store too; when all are verified, the newest one')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore verify',
          'eventcore verify 3f2a9c1e --against-store',
          "eventcore verify --json | jq '.backups[].problems[]'",
        ],
        [0, 2, 3, 4, 5, 6, 130],
      ),
    )
    .action((wanted: string[], flags: VerifyFlags) => start((context) => verify(context, wanted, flags)));
}

/** A backup to check, or the verdict on one that has no manifest to check it by. */
type Candidate = CatalogEntry | BackupVerification;

export interface Verified {
  readonly verification: BackupVerification;
  readonly manifest: Manifest | null;
}

async function verify(
  context: CommandContext,
  wanted: readonly string[],
  flags: VerifyFlags,
): Promise<number> {
  const settings = await context.settings();
  const vaultAddress = requireAddress(settings, 'vault');
  if (flags.quick !== true) prepareFiles(chooseParallel(undefined, settings));
  const storeAddress = flags.againstStore ? requireAddress(settings, 'store') : null;
  return withVault(vaultAddress, { create: false }, async (vault) => {
    const catalog = await readCatalog(vault);
    const candidates = wanted.length === 0 ? allCandidates(catalog, vault.address) : named(catalog, wanted);
    const check = (store: EventStore | null) =>
      checkAll(context, vault, candidates, { flags, store, all: wanted.length === 0 });
    const results = storeAddress === null ? await check(null) : await withStore(storeAddress, check);
    return reportResults(context, results, { vault: vault.address, quick: flags.quick === true });
  });
}

function allCandidates(catalog: Catalog, vaultAddress: string): Candidate[] {
  if (catalog.damaged.length === 0) newestBackup(catalog, vaultAddress);
  return [...catalog.backups, ...catalog.damaged.map(damagedManifest)];
}

/** Throws `backup_not_found`; a damaged or missing manifest is a finding, not a failure. */
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
  /** All that is in the vault, and not what was named. */
  readonly all: boolean;
}

async function checkAll(
  context: CommandContext,
  vault: Vault,
  candidates: readonly Candidate[],
  { flags, store, all }: CheckOptions,
): Promise<Verified[]> {
  const parallel = chooseParallel(undefined, await context.settings());
  const ports = { vault, clock: systemClock, ...fileRunner(vault, parallel) };
  const newest = candidates.findLast((candidate) => 'manifest' in candidate);
  const results: Verified[] = [];
  for (const [i, candidate] of candidates.entries()) {
    throwIfAborted(context.signal);
    if (!('manifest' in candidate)) {
      results.push({ verification: candidate, manifest: null });
      continue;
    }
    beginStep(
      context,
      `verifying ${candidate.manifest.backupId.slice(0, 8)} (${i + 1} of ${candidates.length})`,
    );
    const verification = await verifyBackup(ports, candidate, {
      ...{
        quick: flags.quick === true,
        parallel,
        onProgress: context.progress.update,
        signal: context.signal,
      },
      ...(store !== null && (!all || candidate === newest) ? { againstStore: store } : {}),
    });
    results.push({ verification, manifest: candidate.manifest });
  }
  context.progress.end();
  return results;
}

const UNSOUND = new BackupError('verification_failed', '').exitCode;

function reportResults(
  { output }: CommandContext,
  results: readonly Verified[],
  { vault, quick }: { vault: string; quick: boolean },
): number {
  const unsound = results.filter(({ verification }) => !verification.overallValid).length;
  output.document({
    ...{ overallValid: unsound === 0, vault, quick },
    backups: results.map(({ verification }) => verification),
  });
  if (output.isQuiet && unsound > 0) {
    throw new BackupError('verification_failed', `${unsound} of ${plural(results.length, 'backup')} failed`, {
      hint: 'run `eventcore verify` without --quiet to see what is wrong',
    });
  }
  output.account(verificationLines(results, { vault, quick }, output.paint));
  return unsound === 0 ? 0 : UNSOUND;
}
