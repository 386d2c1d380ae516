import { hasFinishedFiles } from '../../backup/finish.ts';
import type { FullBackupReport, ResumedReport } from '../../backup/full.ts';
import type { IncrementalReport } from '../../backup/incremental.ts';
import type { BackupKind, Manifest } from '../../core/manifest.ts';
import type { BackupVerification } from '../../core/report.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatInstant,
  formatRate,
  plural,
  printable,
} from '../../core/units.ts';
import { bundleFolder } from '../../format/bundle.ts';
import { backupDocument, formatName } from '../backup/names.ts';
import { type CommandContext, withVault } from '../context.ts';
import { cutPairs } from './cuts.ts';
import { roundedStages } from './stages.ts';
import { renderPairs } from './table.ts';

/** What was begun, so that an interrupted run can say whether something of it is left. */
export interface Attempt {
  kind: BackupKind;
  vault: string | null;
  backupId: string | null;
}

/** A backup's option by which the attempt learns its id. */
export function notingId(attempt: Attempt): (backupId: string) => void {
  return (backupId) => {
    attempt.backupId = backupId;
  };
}

export async function describeLeft({ kind, vault: address, backupId }: Attempt): Promise<string> {
  if (address === null || backupId === null) return 'nothing was written';
  const folder = bundleFolder(kind, backupId);
  return withVault(address, { create: false }, async (vault) => {
    if (kind === 'full' && (await hasFinishedFiles(vault, { folder, backupId }))) {
      return `what was finished stays in ${folder}, and \`eventcore backup full\` goes on from there`;
    }
    for await (const _ of vault.list(folder)) {
      return `${folder} is left behind in ${address}; it is no backup, and \`eventcore list\` shows it`;
    }
    return 'what had been written was removed, nothing is left behind';
  });
}

/** Of a full backup, or of an incremental one, which is never taken up. */
type Reported = Omit<FullBackupReport, 'resumed' | 'notes'> &
  Partial<Pick<FullBackupReport, 'resumed' | 'notes'>> &
  Partial<Pick<IncrementalReport, 'uncompared'>>;

interface Account {
  readonly store: string;
  readonly vault: string;
  readonly elapsedMs: number;
  /** Why it is a full backup where an incremental one was asked for. */
  readonly instead?: string | null;
  /** Of an incremental backup: why streams were compared one by one. */
  readonly headsReason?: string | null;
}

export function reportBackup({ output, log }: CommandContext, report: Reported, account: Account): void {
  const { manifest, folder, verification, leftoversRemoved, stages, resumed = null, notes = [] } = report;
  for (const note of notes) log.warn(note);
  warnOfLeftovers(log, leftoversRemoved);
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
    ...(manifest.kind === 'full' ? { resumed } : { uncompared: report.uncompared ?? 0 }),
    reason: account.instead ?? account.headsReason ?? null,
  });
  output.account(backupLines(report, account, output.paint));
}

export function warnOfLeftovers(log: CommandContext['log'], count: number): void {
  if (count > 0) log.warn(`removed ${plural(count, 'piece')} that killed runs had left in the vault`);
}

function backupLines(
  { manifest, verification, stages, resumed }: Reported,
  { store, vault, elapsedMs, instead, headsReason }: Account,
  paint: CommandContext['output']['paint'],
): string[] {
  const { durationMs, totalEvents, sizeBytes } = manifest;
  const rate = formatRate(totalEvents - (resumed?.eventsKept ?? 0), durationMs, 'event');
  // How large events are that an earlier run read, nobody has counted.
  const origin = resumed == null ? `, from ${formatBytes(stages.eventBytes)}` : '';
  return [
    `${paint('good', 'Backed up')} ${printable(store)}`,
    ...renderPairs([
      ['backup', `${manifest.backupId}  (${manifest.kind})`],
      ...chainPairs(manifest),
      ...(resumed == null ? [] : [['taken up', describeResumed(resumed)] as const]),
      ...(instead == null ? [] : [['full because', instead] as const]),
      ...(headsReason == null ? [] : [['compared', `stream by stream: ${headsReason}`] as const]),
      ['vault', printable(vault)],
      ['events', `${formatCount(totalEvents)} in ${plural(manifest.totalStreams, 'stream')}`],
      ...recordedPairs(manifest),
      ...cutPairs(manifest.cursor),
      ['size', `${formatBytes(sizeBytes)} as ${formatName(manifest)}${origin}`],
      ['verified', checkText(verification, paint)],
      ['time', `${formatDuration(elapsedMs)}${rate === null ? '' : `, reading at ${rate}`}`],
    ]),
  ];
}

function describeResumed({ attemptStartedAt, filesKept, eventsKept, eventsAdded }: ResumedReport): string {
  const kept = `${plural(eventsKept, 'event')} in ${plural(filesKept, 'file')}`;
  return `an attempt of ${formatInstant(attemptStartedAt)}: kept ${kept}, added ${formatCount(eventsAdded)}`;
}

export function recordedPairs({ eventRange }: Manifest): [string, string][] {
  if (eventRange === null) return [];
  const { earliestEvent, latestEvent } = eventRange;
  return [['recorded', `${formatInstant(earliestEvent)} to ${formatInstant(latestEvent)}`]];
}

export function checkText(
  verification: BackupVerification | null,
  paint: CommandContext['output']['paint'],
): string {
  if (verification === null) return paint('warning', 'no: --no-verify was given');
  const took = formatDuration(verification.durationMs);
  return `${paint('good', 'yes')}, all of it was read back and is sound, in ${took}`;
}

function chainPairs({ parentId, chain }: Manifest): [string, string][] {
  if (chain === undefined) return [];
  const { length, totalEvents } = chain;
  return [
    ['builds on', String(parentId)],
    ['chain', `${plural(length, 'backup')}, ${plural(totalEvents, 'event')} in all`],
  ];
}
