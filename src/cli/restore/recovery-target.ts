import { type Command, InvalidArgumentError, Option } from 'commander';
import { BackupError } from '../../core/errors.ts';
import { formatTime, parseTime, TIME_INFINITY, TIME_MINUS_INFINITY } from '../../core/time.ts';
import type { Vault } from '../../core/vault.ts';
import { type Catalog, findBackup } from '../../format/catalog.ts';
import { type Chain, newestRestorePoint, requireChain } from '../../format/chain.ts';
import { readLogCatalog } from '../../format/log-catalog.ts';
import { openLogs } from '../../format/log-keys.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import { planRecovery, type RecoveryPlan } from '../../recovery/plan-recovery.ts';
import { formatPosition, parsePosition } from '../../recovery/position.ts';
import type { RecoveryTarget } from '../../recovery/target.ts';
import type { CommandContext } from '../context.ts';

/** Which point to bring back, as the command line names it. */
export interface PointFlags {
  readonly backup?: string;
  readonly at?: bigint;
  readonly lsn?: bigint;
  readonly beforeEvent?: string;
  readonly toTransaction?: bigint;
}

const POINTS = ['backup', 'at', 'lsn', 'beforeEvent', 'toTransaction'] as const;

export function addPointOptions(command: Command): Command {
  const options = [
    new Option(
      '--at <time>',
      'as it was at this time, by the clock of the store (RFC 3339; UTC without an offset)',
    ).argParser(readTime),
    new Option('--lsn <position>', 'as it was at this position of the log, such as 0/16B3748').argParser(
      readPosition,
    ),
    new Option('--before-event <id>', 'as it was just before the transaction that wrote this event'),
    new Option('--to-transaction <xid>', 'as it was when this transaction had committed').argParser(readXid),
  ];
  for (const option of options) {
    command.addOption(option.conflicts(POINTS.filter((name) => name !== option.attributeName())));
  }
  return command;
}

function readTime(text: string): bigint {
  const time = parseTime(text);
  if (time !== null && time !== TIME_INFINITY && time !== TIME_MINUS_INFINITY) return time;
  throw new InvalidArgumentError('It must be a time such as 2026-11-23T04:05:06.123456Z.');
}

function readPosition(text: string): bigint {
  const position = parsePosition(text);
  if (position !== null) return position;
  throw new InvalidArgumentError('It must be a position such as 0/16B3748, or a number for SQLite.');
}

function readXid(text: string): bigint {
  if (/^\d{1,19}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('It must be the number of a transaction.');
}

/** The point that the flags name; null when they name none, or a backup. */
export function pointOf({ at, lsn, beforeEvent, toTransaction }: PointFlags): RecoveryTarget | null {
  if (at !== undefined) return { kind: 'time', time: at };
  if (lsn !== undefined) return { kind: 'position', position: lsn };
  if (beforeEvent !== undefined) return { kind: 'before-event', eventId: beforeEvent };
  if (toTransaction !== undefined) return { kind: 'to-transaction', xid: toTransaction };
  return null;
}

/** What is restored: the backups of a chain, and how it goes on from there; null when it does not. */
export interface ChosenPoint {
  readonly chain: Chain;
  readonly recovery: RecoveryPlan | null;
}

/** The newest point unless another is named; a backup that cannot be used, and might be newer, is not passed over in silence. */
export async function choosePoint(
  context: CommandContext,
  vault: Vault,
  catalog: Catalog,
  flags: PointFlags,
  keys: ReadKeys,
): Promise<ChosenPoint> {
  if (flags.backup !== undefined) {
    return { chain: requireChain(catalog, findBackup(catalog, flags.backup)), recovery: null };
  }
  const target = pointOf(flags);
  if (target === null) warnOfPassedOver(context, vault, catalog);
  const timelines = openLogs(vault, await readLogCatalog(vault), keys);
  const recovery = await planning(target, () =>
    planRecovery({ vault, catalog, timelines }, target ?? { kind: 'latest' }, context.signal),
  );
  const isPlain = target === null && recovery.log === null;
  return { chain: recovery.chain, recovery: isPlain ? null : recovery };
}

async function planning(
  target: RecoveryTarget | null,
  work: () => Promise<RecoveryPlan>,
): Promise<RecoveryPlan> {
  try {
    return await work();
  } catch (cause) {
    // A damaged log keeps nobody from restoring a backup, but nobody gets less than the newest point without asking.
    if (target !== null || !(cause instanceof BackupError) || cause.facts.block === undefined) throw cause;
    throw new BackupError(cause.code, cause.message, {
      hint: 'restore a backup without the log with --backup ID, or a point before the damage with --at',
      facts: cause.facts,
      cause,
    });
  }
}

/** A backup that cannot be used, and might be newer, is not passed over in silence. */
export function warnOfPassedOver({ log }: CommandContext, vault: Vault, catalog: Catalog): void {
  const { passedOver } = newestRestorePoint(catalog, vault.address);
  for (const { backupId, message } of passedOver) {
    log.warn(`backup ${backupId} is passed over, and is newer: ${message}`);
  }
  for (const { backupId, message } of catalog.damaged) {
    log.warn(`backup ${backupId} is passed over, and may be newer: ${message}`);
  }
}

/** What --json says of the target. `transactions` is how many came from the log; null before it was read. */
export function targetDocument(
  { chain, recovery }: ChosenPoint,
  transactions: number | null,
): Record<string, unknown> {
  if (recovery === null) return { time: chain.at(-1)!.manifest.createdAt };
  const { reached } = recovery;
  return {
    ...askedFor(recovery),
    ...{ reachedLsn: reached.lsn, reachedTime: reached.time, transactions },
  };
}

function askedFor({ target, chain, reached }: RecoveryPlan): Record<string, string> {
  switch (target.kind) {
    case 'latest':
      return { time: reached.time };
    case 'time':
      return { time: formatTime(target.time) };
    case 'position':
      return { lsn: formatPosition(target.position, chain.at(-1)!.manifest.cursor.kind) };
    case 'before-event':
      return { beforeEvent: target.eventId };
    case 'to-transaction':
      return { transaction: String(target.xid) };
  }
}
