import { Option } from 'commander';
import { BackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import { formatCount, formatDuration, plural, printable } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import type { AllowedLoss } from '../../recovery/conversion.ts';
import { type MergeReport, mergeStreams } from '../../recovery/merge-streams.ts';
import type { StreamSource } from '../../recovery/read-streams.ts';
import {
  planStreams,
  restoreStreams,
  type StreamOutcome,
  type StreamsReport,
} from '../../recovery/restore-streams.ts';
import { beginStep, type CommandContext } from '../context.ts';
import { lossDocument, lossPairs, refusedFields, WOULD_LOSE } from '../render/losses.ts';
import { pointPairs, stateOf } from '../render/recovery-report.ts';
import { renderPairs, renderTable } from '../render/table.ts';
import { type ChosenPoint, targetDocument } from '../restore/recovery-target.ts';
import { systemClock } from '../wire.ts';

interface StreamFlags {
  readonly stream?: readonly string[];
  readonly merge?: true;
  readonly replace?: true;
  readonly dryRun?: true;
  readonly allowLoss?: AllowedLoss;
}

interface Work {
  readonly vault: Vault;
  readonly point: ChosenPoint;
  readonly target: EventStore;
}

/** A store that is only planned for; `address` is null where none is named: it would be a new one. */
export interface PlanTarget {
  readonly address: string | null;
  readonly inspect: EventStore['inspect'];
}

/** Names it for people. */
export function placeText({ address }: PlanTarget): string {
  return address === null ? 'a new store' : printable(address);
}

export function streamOption(): Option {
  return new Option(
    '--stream <id>',
    'only this stream, without consumer checkpoints; may be repeated; base64:… for a name that is no UTF-8',
  ).argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
}

export function assertStreamFlags({ merge, replace }: StreamFlags): void {
  if (merge === undefined || replace === undefined) return;
  throw new BackupError('usage', '--merge keeps what is there and --replace throws it away', {
    hint: 'leave one of them out',
  });
}

type SingleFlags = StreamFlags & { readonly stream: readonly string[] };

/** Says what a restore of single streams would bring. */
export async function planSingle(
  { output, signal }: CommandContext,
  flags: SingleFlags,
  work: Omit<Work, 'target'> & { readonly target: PlanTarget },
): Promise<number> {
  const wanted = { streamIds: flags.stream, replace: flags.replace === true, signal };
  const { plan, streams, lost } = await planStreams(work, sourceOf(work), wanted);
  const { events, action, notes } = plan;
  output.document({
    ...heading(work, true),
    ...{ action, events, streams, notes },
    ...lossDocument(lost, flags.allowLoss),
  });
  output.answer([
    `${output.paint('strong', 'Would restore')} ${countText(events, streams.length)} into ${placeText(work.target)}`,
    ...streamLines(streams, notes, work),
    ...renderPairs(lossPairs(lost, flags.allowLoss, output.paint)),
    'Nothing was changed.',
  ]);
  return refusedFields(lost, flags.allowLoss).length === 0 ? 0 : WOULD_LOSE;
}

/** Single streams into a store that is empty. */
export async function restoreSingle(
  context: CommandContext,
  flags: SingleFlags,
  work: Work,
): Promise<number> {
  const { vault, target } = work;
  const ports = { target, vault, clock: systemClock };
  const report = await restoreStreams(ports, sourceOf(work), {
    ...{ streamIds: flags.stream, replace: flags.replace === true, signal: context.signal },
    allowLoss: flags.allowLoss ?? [],
    onStep: (step) => beginStep(context, step),
  });
  context.progress.end();
  for (const piece of report.discarded)
    context.log.warn(`threw away what a killed restore had left: ${piece}`);
  reportRestored(context, report, work);
  return 0;
}

function reportRestored({ output }: CommandContext, report: StreamsReport, work: Work): void {
  const { plan, discarded: _, ...facts } = report;
  const { notes } = plan;
  output.document({ ...heading(work, false), action: plan.action, ...facts, checkpoints: [], notes });
  output.account([
    `${output.paint('good', 'Restored')} ${countText(report.eventsRestored, report.streamsRestored)} into ${printable(work.target.address)}`,
    ...streamLines(report.streams, notes, work, report.durationMs),
    ...renderPairs(lossPairs(report.lost, 'all', output.paint)),
  ]);
}

const CONSUMERS_NOTE =
  'consumers whose position lies behind the added events will not see them: their ids are old';

/** What a store in use lacks, of single streams or of all. */
export async function mergeIntoStore(
  context: CommandContext,
  flags: StreamFlags,
  work: Work,
): Promise<number> {
  const { vault, target } = work;
  const dryRun = flags.dryRun === true;
  const report = await mergeStreams({ target, vault, clock: systemClock }, sourceOf(work), {
    ...{ streamIds: flags.stream ?? null, dryRun, signal: context.signal },
    onStep: (step) => beginStep(context, step),
  });
  context.progress.end();
  reportMerged(context, report, work, dryRun);
  return 0;
}

function sourceOf({ point: { chain, recovery } }: Pick<Work, 'point'>): StreamSource {
  return { chain, log: recovery?.log ?? null };
}

function reportMerged({ output }: CommandContext, report: MergeReport, work: Work, dryRun: boolean): void {
  const { eventsRestored, streamsRestored, unchangedStreams, streams } = report;
  const notes = eventsRestored === 0 ? [] : [CONSUMERS_NOTE];
  output.document({ ...heading(work, dryRun), action: 'merge', ...report, checkpoints: [], notes });
  const verb = dryRun
    ? output.paint('strong', 'Would add')
    : output.paint('good', eventsRestored === 0 ? 'Nothing is missing:' : 'Added');
  const lines = [
    `${verb} ${countText(eventsRestored, streamsRestored)} to ${printable(work.target.address)}, ${plural(unchangedStreams, 'stream')} unchanged`,
    ...streamLines(streams, notes, work, report.durationMs),
  ];
  if (dryRun) output.answer([...lines, 'Nothing was changed.']);
  else output.account(lines);
}

function heading(
  { point, target }: { readonly point: ChosenPoint; readonly target: PlanTarget },
  dryRun: boolean,
): Record<string, unknown> {
  const { chain } = point;
  const { backupId } = chain.at(-1)!.manifest;
  return {
    ...(dryRun ? { dryRun } : {}),
    ...{ backupId, chain: chain.map(({ manifest }) => manifest.backupId) },
    ...{ target: targetDocument(point, null), store: target.address },
  };
}

/** More streams than this are counted, not named. */
const MOST_NAMED = 20;

function streamLines(
  streams: readonly StreamOutcome[],
  notes: readonly string[],
  { point }: Pick<Work, 'point'>,
  durationMs?: number,
): string[] {
  const { backupId } = point.chain.at(-1)!.manifest;
  const named = streams.slice(0, MOST_NAMED);
  const left = streams.length - named.length;
  return [
    ...renderPairs([
      ['backup', backupId],
      ['state of', stateOf(point)],
      ...pointPairs(point),
      ...(durationMs === undefined ? [] : [['time', formatDuration(durationMs)] as const]),
      ...notes.map((note) => ['note', note] as const),
    ]),
    ...(named.length === 0 ? [] : ['', ...streamTable(named)]),
    ...(left === 0 ? [] : [`and ${formatCount(left)} more: --json lists all`]),
  ];
}

function streamTable(streams: readonly StreamOutcome[]): string[] {
  return renderTable(
    [{ title: 'STREAM' }, { title: 'WHAT' }, { title: 'EVENTS', align: 'right' }, { title: 'VERSIONS' }],
    streams.map(({ streamId, action, events, fromVersion, toVersion, aheadAt }) => [
      printable(streamId),
      aheadAt === undefined ? action : `${action}, the store is ahead at ${aheadAt}`,
      formatCount(events),
      fromVersion === null ? '' : `${fromVersion}–${toVersion}`,
    ]),
  );
}

function countText(events: number, streams: number): string {
  return `${plural(events, 'event')} in ${plural(streams, 'stream')}`;
}
