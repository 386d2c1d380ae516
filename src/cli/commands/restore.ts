import { type Command, Option } from 'commander';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { EventStore, StoreDescription } from '../../core/event-store.ts';
import { formatBytes, formatCount, formatDuration, formatRate, plural, printable } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import { countBehind } from '../../recovery/behind.ts';
import type { CheckpointOutcome, CheckpointPolicy } from '../../recovery/checkpoints.ts';
import { type AllowedLoss, assertWithoutLog, OWN_LAYOUT } from '../../recovery/conversion.ts';
import { measureLosses } from '../../recovery/losses.ts';
import { planRestore, type RestorePlan } from '../../recovery/plan.ts';
import type { RestoreReport } from '../../recovery/restore.ts';
import { isSameStore } from '../address.ts';
import { parallelOption, rateLimitOption } from '../arguments.ts';
import type { Settings } from '../config/config.ts';
import { type CommandContext, chooseLimit, type Start, withStore, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags, loadKeys } from '../keys/keys.ts';
import { withHands } from '../queue/queue-hands.ts';
import { addQueueOptions, type QueueFlags } from '../queue/settings.ts';
import { addRegionOption, type RegionFlags, vaultToRead } from '../regions.ts';
import { allowLossOption, lossDocument, lossPairs, refusedFields, WOULD_LOSE } from '../render/losses.ts';
import { expectedPair, logDocument, pointPairs, recoveredPairs, stateOf } from '../render/recovery-report.ts';
import { renderPairs } from '../render/table.ts';
import { openPoint, restoreToPoint } from '../restore/point.ts';
import { addRecallOption, type RecallFlags } from '../restore/recalls.ts';
import {
  addPointOptions,
  type ChosenPoint,
  type PointFlags,
  targetDocument,
} from '../restore/recovery-target.ts';
import {
  assertStreamFlags,
  mergeIntoStore,
  type PlanTarget,
  placeText,
  planSingle,
  restoreSingle,
  streamOption,
} from './restore-streams.ts';

interface RestoreFlags extends PointFlags, KeyFlags, RegionFlags, RecallFlags, QueueFlags {
  /** A dry run may do without. */
  readonly to?: string;
  readonly replace?: true;
  readonly checkpoints: CheckpointPolicy;
  readonly dryRun?: true;
  readonly parallel?: number;
  readonly rateLimit?: number;
  readonly stream?: readonly string[];
  readonly merge?: true;
  readonly allowLoss?: AllowedLoss;
}

const CHECKPOINT_POLICIES: readonly CheckpointPolicy[] = ['keep', 'clamp', 'reset'];

export function addRestoreCommand(program: Command, start: Start): void {
  const command = program
    .command('restore')
    .description('bring a store back as it was at a point, all of it or nothing')
    .option(
      '--to <store>',
      'address of the store to restore into; it is never taken from the configuration (--dry-run does without: a new store)',
    )
    .option(
      '--backup <id>',
      'this backup alone, by its id or the first characters of it (default: the newest point of backups and log)',
    );
  addPointOptions(command)
    .option('--replace', 'the target may hold events: they are thrown away')
    .addOption(
      new Option('--checkpoints <policy>', 'positions of consumers that lie behind the last restored event')
        .choices(CHECKPOINT_POLICIES)
        .default('keep'),
    )
    .addOption(streamOption())
    .option('--merge', 'the target is in use: only what it lacks is added, or it is refused')
    .addOption(allowLossOption())
    .option('--dry-run', 'print what would be done, and change nothing')
    .option(parallelOption.flags, parallelOption.description, parallelOption.parse)
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse)
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore restore --to sqlite:./restored.db',
          'eventcore restore --at 2026-11-23T04:05:06Z --dry-run',
          'eventcore restore --to sqlite:./restored.db --at 2026-11-23T04:05:06Z --dry-run',
          'eventcore restore --to sqlite:./restored.db --before-event 0193a6e2-8f31-7c55-9d0a-4b6f1e2a7c3d',
          'eventcore restore --backup 3f2a9c1e --to postgres://restore_login@db.example/shop --dry-run',
          'eventcore restore --to sqlite:./events.db --replace --checkpoints clamp',
          'eventcore restore --to sqlite:./restored.db --region us-west-2',
          'eventcore restore --to sqlite:./one.db --stream order-17',
          'eventcore restore --to postgres://restore_login@db.example/shop --stream order-17 --merge --dry-run',
          'eventcore restore --to sqlite:./events.db --allow-loss global_position,delivery-order',
        ],
        [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 130],
      ),
    )
    .action((flags: RestoreFlags) =>
      start((context) => restore(context, flags), 'nothing was published, the target is as it was'),
    );
  addQueueOptions(addIdentityOptions(addRecallOption(addRegionOption(command))));
}

async function restore(context: CommandContext, flags: RestoreFlags): Promise<number> {
  assertStreamFlags(flags);
  const { to } = flags;
  if (to === undefined) assertNeedsNone(flags);
  const settings = await context.settings();
  const keys = await loadKeys(settings, flags, { ...context, signs: false });
  const limit = chooseLimit(flags, settings, context.signal);
  return withVault(vaultToRead(context, settings, flags), { create: false, limit }, async (vault) => {
    const point = await openPoint(context, vault, flags, keys);
    if (to === undefined) return planOnly(context, flags, { vault, point, target: newPlace(point) });
    return withStore(to, (target) =>
      namingTheFlag({ ...flags, to }, settings, target, async () => {
        const work = { vault, point, target };
        if (flags.merge) return mergeIntoStore(context, flags, work);
        if (flags.dryRun) return planOnly(context, flags, work);
        if (flags.stream !== undefined)
          return restoreSingle(context, { ...flags, stream: flags.stream }, work);
        return restorePoint(context, { ...flags, to }, work);
      }),
    );
  });
}

/** What is only looked at needs no place, unless it is held against what is there. */
function assertNeedsNone({ dryRun, merge, replace }: RestoreFlags): void {
  if (dryRun && !merge && !replace) return;
  throw new BackupError('usage', "required option '--to <store>' not specified", {
    hint: 'pass --to STORE: into which store to restore; only --dry-run without --merge and --replace does without',
  });
}

/** A store like the one that was backed up, which is not there yet. */
function newPlace({ chain }: ChosenPoint): PlanTarget {
  const { kind, layout, versionBase, serverVersion } = chain.at(-1)!.manifest.store;
  // Tables of others are made beforehand.
  const state = layout === OWN_LAYOUT ? 'missing' : 'empty';
  const description = { kind, layout, versionBase, serverVersion, state } as const;
  return { address: null, inspect: async () => description };
}

/** A target that holds events is refused in the same words, wherever it was noticed. */
async function namingTheFlag(
  flags: RestoreFlags & { readonly to: string },
  settings: Settings,
  target: EventStore,
  work: () => Promise<number>,
): Promise<number> {
  try {
    return await work();
  } catch (cause) {
    if (!isBackupError(cause, 'target_not_empty')) throw cause;
    const isSource = settings.store !== null && isSameStore(settings.store, flags.to);
    const what = isSource ? 'is the configured store itself and holds events' : 'is not empty';
    throw new BackupError('target_not_empty', `the target ${target.address} ${what}`, {
      hint:
        flags.stream === undefined
          ? 'restore into an empty place, or pass --replace to throw away what is there (try it with --dry-run first)'
          : 'pass --merge to add what it lacks of the streams, or restore into an empty place (try it with --dry-run first)',
      facts: {
        ...cause.facts,
        flag: flags.stream === undefined ? '--replace' : '--merge',
        isConfiguredStore: isSource,
      },
      cause,
    });
  }
}

async function planOnly(
  context: CommandContext,
  flags: RestoreFlags,
  work: Omit<Work, 'target'> & { readonly target: PlanTarget },
): Promise<number> {
  const { stream } = flags;
  if (stream !== undefined) return planSingle(context, { ...flags, stream }, work);
  const { output, signal } = context;
  const { vault, point, target } = work;
  const behind = point.recovery === null ? null : await countBehind(vault, point.recovery, signal);
  const found = await target.inspect();
  const plan = planRestore(point.chain, found, flags.replace === true);
  const { action, events, streams, fetchBytes, notes, conversion } = plan;
  assertWithoutLog(conversion, point.recovery?.log ?? null);
  const lost = conversion === null ? [] : await measureLosses(vault, point.chain, conversion, signal);
  output.document({
    ...{ dryRun: true, backupId: plan.backupId, chain: plan.chain, target: targetDocument(point, null) },
    ...{
      store: target.address,
      action,
      events,
      streams,
      fetchBytes,
      checkpointPolicy: flags.checkpoints,
      notes,
      ...lossDocument(lost, flags.allowLoss),
    },
    ...{ ...logDocument(point, events), eventsBehind: behind },
  });
  output.answer([
    `${output.paint('strong', 'Would restore')} into ${placeText(target)}, ${actionWords(action, found)}`,
    ...renderPairs([
      ...planPairs(plan, point, events),
      ...behindPairs(behind),
      ['fetches', formatBytes(fetchBytes)],
      expectedPair(point, events),
      ['checkpoints', CHECKPOINT_WORDS[flags.checkpoints]],
      ...notePairs(notes),
      ...lossPairs(lost, flags.allowLoss, output.paint),
    ]),
    'Nothing was changed.',
  ]);
  return refusedFields(lost, flags.allowLoss).length === 0 ? 0 : WOULD_LOSE;
}

/** What nobody asks for who wants the newest point. */
function behindPairs(behind: number | null): [string, string][] {
  if (behind === null || behind === 0) return [];
  return [['behind it', `${plural(behind, 'event')} of the log, which this takes back`]];
}

function actionWords(action: RestorePlan['action'], { placeExists }: StoreDescription): string {
  return placeExists ? 'which has no event store yet: its tables are created' : ACTION_WORDS[action];
}

const ACTION_WORDS: Record<RestorePlan['action'], string> = {
  create: 'which does not exist yet: it is created',
  fill: 'which is empty',
  replace: 'and throw away the events that are there',
};

const CHECKPOINT_WORDS: Record<CheckpointPolicy, string> = {
  keep: 'kept as they are; those that lie ahead are named',
  clamp: 'those that lie ahead are moved back to the last restored event',
  reset: 'left out: every consumer starts anew',
};

interface Work {
  readonly vault: Vault;
  readonly point: ChosenPoint;
  readonly target: EventStore;
}

/** All is restored and proven; only the word of it that others were to find is missing. */
const WITHOUT_RECORD = 10;

async function restorePoint(
  context: CommandContext,
  flags: RestoreFlags & { readonly to: string },
  work: Work,
): Promise<number> {
  const settings = await context.settings();
  const asked = {
    purpose: 'restore',
    what: `restore to ${work.target.address}`,
    parallel: flags.parallel,
  } as const;
  const report = await withHands(context, { flags, settings }, asked, (hands) =>
    restoreToPoint(context, {
      ...{ ...work, to: flags.to, replace: flags.replace === true, checkpoints: flags.checkpoints },
      allowLoss: flags.allowLoss,
      hands,
    }),
  );
  context.output.document(restoreDocument(report, work));
  context.output.account(restoreLines(report, work, context.output.paint));
  return report.recovery?.epochRecord.record === null ? WITHOUT_RECORD : 0;
}

function restoreDocument(report: RestoreReport, { point, target }: Work): unknown {
  const { plan, recovery, ...facts } = report;
  return {
    ...{ backupId: plan.backupId, chain: plan.chain },
    target: targetDocument(point, recovery?.transactions ?? 0),
    ...{ store: target.address, action: plan.action, ...facts, notes: plan.notes },
    ...(recovery === null
      ? {}
      : {
          eventsReplayed: recovery.eventsReplayed,
          versionsSkipped: recovery.versionsSkipped,
          epochRecord: recovery.epochRecord,
          ...reasonsOf(point),
        }),
  };
}

function reasonsOf({ recovery }: ChosenPoint): { reasons: readonly string[] } {
  return { reasons: recovery?.reasons ?? [] };
}

function restoreLines(
  report: RestoreReport,
  { point, target }: Work,
  paint: CommandContext['output']['paint'],
): string[] {
  const { plan, durationMs, eventsRestored, leftOut } = report;
  const rate = formatRate(eventsRestored, durationMs, 'event');
  return [
    `${paint('good', 'Restored')} into ${printable(target.address)}`,
    ...renderPairs([
      ...planPairs(plan, point, eventsRestored, report.streamsRestored),
      ...recoveredPairs(report, paint),
      [
        'verified',
        `${paint('good', 'yes')}, each stream's count, versions and last event before it became visible`,
      ],
      ['time', `${formatDuration(durationMs)}${rate === null ? '' : `, ${rate}`}`],
      ['epoch', report.epoch],
      ...checkpointPairs(report.checkpoints, paint),
      ...(leftOut.length === 0
        ? []
        : [['left out', `${leftOut.join(', ')}: the target has no place for them`] as const]),
      ...notePairs(plan.notes),
      ...lossPairs(report.lost, 'all', paint),
    ]),
  ];
}

function planPairs(
  { backupId, chain, streams: planned }: RestorePlan,
  point: ChosenPoint,
  events: number,
  streams = planned,
): [string, string][] {
  return [
    ['backup', backupId],
    ...(chain.length === 1 ? [] : [chainPair(chain)]),
    ['state of', stateOf(point)],
    ...pointPairs(point),
    ['events', `${formatCount(events)} in ${plural(streams, 'stream')}`],
  ];
}

function chainPair(chain: readonly string[]): [string, string] {
  return ['chain', `${plural(chain.length, 'backup')}, from the full backup ${chain[0]} on`];
}

function notePairs(notes: readonly string[]): [string, string][] {
  return notes.map((note) => ['note', note]);
}

/** More consumers than this are counted, not named. */
const MAX_NAMED = 20;

function checkpointPairs(
  checkpoints: readonly CheckpointOutcome[],
  paint: CommandContext['output']['paint'],
): [string, string][] {
  if (checkpoints.length === 0) return [];
  const counted = (['kept', 'clamped', 'reset'] as const)
    .map((action) => [checkpoints.filter((outcome) => outcome.action === action).length, action] as const)
    .filter(([count]) => count > 0)
    .map(([count, action]) => `${formatCount(count)} ${action}`);
  const ahead = checkpoints.filter((outcome) => outcome.ahead && outcome.action === 'kept');
  const pairs: [string, string][] = [['checkpoints', counted.join(', ')]];
  for (const { name } of ahead.slice(0, MAX_NAMED)) {
    pairs.push([
      '',
      paint('warning', `${printable(name)} lies ahead and would skip events to come: see --checkpoints`),
    ]);
  }
  if (ahead.length > MAX_NAMED) pairs.push(['', `and ${formatCount(ahead.length - MAX_NAMED)} more`]);
  return pairs;
}
