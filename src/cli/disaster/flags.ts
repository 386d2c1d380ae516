import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  DISASTER_TRIGGERS,
  type DisasterTrigger,
  type RecoveryRisk,
  STRATEGY_KINDS,
  type StrategyKind,
} from '../../core/disaster.ts';
import { BackupError } from '../../core/errors.ts';
import { parseTime, TIME_INFINITY, TIME_MINUS_INFINITY } from '../../core/time.ts';
import type { PlanWish } from './planning.ts';

/** Options that several commands of disaster recovery take. */

export interface WishFlags {
  readonly trigger?: DisasterTrigger;
  readonly strategy?: StrategyKind;
  readonly region?: string;
  readonly at?: string;
}

export function addWishOptions(command: Command): Command {
  return command
    .addOption(new Option('--trigger <trigger>', 'what happened').choices(DISASTER_TRIGGERS))
    .addOption(
      new Option('--strategy <strategy>', 'this one, where it may be (default: what fits best)').choices(
        STRATEGY_KINDS,
      ),
    )
    .option('--region <name>', 'the region that takes over (default: the one that loses least)')
    .option('--at <time>', 'restore to this instant: the one before the damage (RFC 3339)', readInstant);
}

function readInstant(text: string): string {
  const time = parseTime(text);
  if (time !== null && time !== TIME_INFINITY && time !== TIME_MINUS_INFINITY) return text;
  throw new InvalidArgumentError('It must be a time such as 2026-11-23T04:05:06.123456Z.');
}

/** Throws `usage` where no trigger is named. */
export function wishOf({ trigger, strategy = null!, region = null!, at = null! }: WishFlags): PlanWish {
  if (trigger !== undefined) return { trigger, strategy, region, recoverTo: at };
  throw new BackupError('usage', 'it is not said what happened', {
    hint: `pass --trigger ${DISASTER_TRIGGERS.join('|')} (docs/runbooks)`,
  });
}

export interface AcceptFlags {
  readonly acceptDataLoss?: true;
  readonly acceptSplitBrain?: true;
  readonly acceptMinority?: true;
}

export function addAcceptOptions(command: Command): Command {
  return command
    .option('--accept-data-loss', 'more may be lost than the configuration allows, or nobody knows how much')
    .option(
      '--accept-split-brain',
      'the old primary cannot write any longer: you have made sure of that yourself',
    )
    .option(
      '--accept-minority',
      'less than half of the vaults can be locked: no other run is under way, you have made sure',
    );
}

export function acceptedBy({
  acceptDataLoss,
  acceptSplitBrain,
  acceptMinority,
}: AcceptFlags): RecoveryRisk[] {
  return [
    ...(acceptDataLoss ? (['data_loss'] as const) : []),
    ...(acceptSplitBrain ? (['split_brain'] as const) : []),
    ...(acceptMinority ? (['minority'] as const) : []),
  ];
}

export interface RunFlags {
  readonly merge?: true;
  readonly waitForArchive?: true;
}

export function addRunOptions(command: Command): Command {
  return command
    .option('--merge', 'salvage also adds to the new primary what conflicts with nothing there')
    .option('--wait-for-archive', 'wait for what lies in an archive tier, which can take hours');
}
