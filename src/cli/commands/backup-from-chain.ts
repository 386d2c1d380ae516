import { type ConsolidationReport, consolidateChain } from '../../backup/consolidate.ts';
import { formatBytes, formatCount, formatDuration, plural, printable } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import { findBackup, readCatalog } from '../../format/catalog.ts';
import { type Chain, newestRestorePoint, requireChain } from '../../format/chain.ts';
import { openChain } from '../../format/open-bundle.ts';
import { verifyBackup } from '../../integrity/verify/backup.ts';
import { chooseParallel } from '../arguments.ts';
import { chooseFormat, type FormatFlags } from '../backup/format.ts';
import { backupDocument, formatName } from '../backup/names.ts';
import { requireAddress } from '../config/config.ts';
import { beginStep, type CommandContext, chooseLimit, withVault } from '../context.ts';
import { type KeyFlags, loadKeys } from '../keys/keys.ts';
import {
  type Attempt,
  checkText,
  notingId,
  recordedPairs,
  warnOfLeftovers,
} from '../render/backup-report.ts';
import { renderPairs } from '../render/table.ts';
import { prepareFiles, threadHands } from '../threads/parallel-work.ts';
import { systemClock } from '../wire.ts';

export interface FromChainFlags extends FormatFlags, KeyFlags {
  /** The id of a backup, or true for the newest one. */
  readonly fromChain: string | true;
  readonly parallel?: number;
  readonly rateLimit?: number;
  readonly verify: boolean;
}

/** A full backup out of a chain: the store is neither needed nor opened. */
export async function backUpFromChain(
  context: CommandContext,
  flags: FromChainFlags,
  attempt: Attempt,
): Promise<number> {
  const settings = await context.settings();
  const parallel = chooseParallel(flags.parallel, settings);
  const keys = await loadKeys(settings, flags, context);
  if (flags.verify) prepareFiles(parallel);
  const limit = chooseLimit(flags, settings, context.signal);
  await withVault(requireAddress(settings, 'vault'), { create: false, limit }, async (vault) => {
    attempt.vault = vault.address;
    const startedAtMs = systemClock.now();
    const found = await chooseChain(context, vault, flags.fromChain);
    const chain = await openChain(vault, found, keys, 'all');
    const checker = { vault, clock: systemClock, ...threadHands(parallel).files(vault) };
    const { signal, progress, software } = context;
    const onProgress = progress.update;
    const report = await consolidateChain(
      {
        ...{ vault, clock: systemClock, keys },
        ...(flags.verify
          ? {
              verify: (backup) =>
                verifyBackup(checker, backup, { quick: false, parallel, onProgress, signal }),
            }
          : {}),
      },
      chain,
      {
        ...formatAsIn(chain, flags),
        ...{ software, onProgress, signal, onStep: (step) => beginStep(context, step) },
        onBegin: notingId(attempt),
      },
    );
    progress.end();
    reportConsolidation(context, report, vault.address, systemClock.now() - startedAtMs);
  });
  return 0;
}

/** The newest chain that is whole, where none is named. */
async function chooseChain(context: CommandContext, vault: Vault, wanted: string | true): Promise<Chain> {
  const catalog = await readCatalog(vault);
  if (wanted !== true) return requireChain(catalog, findBackup(catalog, wanted));
  const { chain, passedOver } = newestRestorePoint(catalog, vault.address);
  for (const { backupId, message } of passedOver) {
    context.log.warn(`passing over backup ${backupId}: ${message}`);
  }
  return chain;
}

/** As the newest backup of the chain has it; flags say otherwise, and the configuration is for what comes from a store. */
function formatAsIn(chain: Chain, flags: FromChainFlags) {
  const { format, compression, level } = chain.at(-1)!.manifest;
  const asIn = { format, compression, ...(level === null ? {} : { level }) };
  const { chunkBytes: _, ...chosen } = chooseFormat(flags, asIn);
  return { ...chosen, anyLevel: flags.level === undefined };
}

function reportConsolidation(
  { output, log }: CommandContext,
  report: ConsolidationReport,
  vault: string,
  elapsedMs: number,
): void {
  const { manifest, folder, verification, leftoversRemoved, fromChain } = report;
  warnOfLeftovers(log, leftoversRemoved);
  output.document({
    ...backupDocument(manifest),
    ...{ fromChain, filesCopied: report.copied, filesEncoded: report.encoded },
    ...{ verified: verification !== null, vault, folder, leftoversRemoved, elapsedMs },
  });
  output.account(consolidationLines(report, vault, elapsedMs, output.paint));
}

function consolidationLines(
  { manifest, verification, fromChain, copied, encoded }: ConsolidationReport,
  vault: string,
  elapsedMs: number,
  paint: CommandContext['output']['paint'],
): string[] {
  const files = [
    ...(copied > 0 ? [`${plural(copied, 'file')} taken as they are`] : []),
    ...(encoded > 0 ? [`${plural(encoded, 'file')} encoded anew`] : []),
  ];
  return [
    `${paint('good', 'Put together')} ${plural(fromChain.length, 'backup')} of ${printable(vault)}`,
    ...renderPairs([
      ['backup', `${manifest.backupId}  (${manifest.kind})`],
      ['as of', fromChain.at(-1)!],
      ['events', `${formatCount(manifest.totalEvents)} in ${plural(manifest.totalStreams, 'stream')}`],
      ...recordedPairs(manifest),
      ['size', `${formatBytes(manifest.sizeBytes)} as ${formatName(manifest)}`],
      ['files', files.join(', ') || 'no event files'],
      ['verified', checkText(verification, paint)],
      ['time', formatDuration(elapsedMs)],
    ]),
  ];
}
