import { formatTime } from '../../core/time.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatInstant,
  plural,
  printable,
} from '../../core/units.ts';
import type { RecoveryPlan } from '../../recovery/plan-recovery.ts';
import { formatPosition } from '../../recovery/position.ts';
import type { RestoreReport } from '../../recovery/restore.ts';
import type { Paint } from '../output.ts';
import type { ChosenPoint } from '../restore/recovery-target.ts';

/** What a small machine restores and replays at least; a plan that says how long it takes says so by this. */
const EVENTS_PER_SECOND = 50_000;

/** What a plan has of a log, for --json --dry-run. */
export function logDocument({ recovery }: ChosenPoint, baseEvents: number): Record<string, unknown> {
  const events = baseEvents + (recovery?.log?.measured.events ?? 0);
  return {
    log: recovery?.log == null ? null : logFacts(recovery),
    expectedSeconds: Math.ceil(events / EVENTS_PER_SECOND),
    expectedEventsPerSecond: EVENTS_PER_SECOND,
    reasons: recovery?.reasons ?? [],
  };
}

function logFacts({ log }: RecoveryPlan): Record<string, unknown> {
  const { facts, files, from, measured } = log!;
  const { kind } = facts.source;
  return {
    folder: facts.timeline.folder,
    files: filesOf(files, measured.cut).map(({ name, sizeBytes }) => ({ name, sizeBytes })),
    bytes: measured.bytes,
    // Some of these may be in the backup too.
    eventsAtMost: measured.events,
    removesEvents: measured.removed.ids.size > 0 || measured.removed.isEmptied,
    fromLsn: formatPosition(from, kind),
    cutLsn: measured.cut === null ? null : formatPosition(measured.cut, kind),
    logEndsAt: formatTime(facts.until),
  };
}

/** Of the files, those that are read: nothing behind the cut is. */
function filesOf<File extends { readonly from: bigint }>(
  files: readonly File[],
  cut: bigint | null,
): readonly File[] {
  return cut === null ? files : files.filter(({ from }) => from <= cut);
}

/** What is to be restored beyond the backup, for people. */
export function pointPairs({ recovery }: ChosenPoint): [string, string][] {
  if (recovery === null) return [];
  const { reached, log, reasons } = recovery;
  const lsn = reached.lsn === null ? '' : `, LSN ${reached.lsn}`;
  return [
    ['last commit', `${reached.time}${lsn}`],
    ...(log === null ? [] : [logPair(recovery)]),
    ...reasons.map((reason): [string, string] => ['because', printable(reason)]),
  ];
}

function logPair({ log }: RecoveryPlan): [string, string] {
  const { files, measured } = log!;
  if (measured.events === 0) return ['log', 'brings nothing further until then'];
  const read = filesOf(files, measured.cut).length;
  const many = `${plural(read, 'file')}, ${formatBytes(measured.bytes)}, at most ${plural(measured.events, 'event')}`;
  return ['log', many];
}

export function expectedPair({ recovery }: ChosenPoint, baseEvents: number): [string, string] {
  const events = baseEvents + (recovery?.log?.measured.events ?? 0);
  const time = formatDuration(Math.ceil(events / EVENTS_PER_SECOND) * 1000);
  return ['takes about', `${time}, at ${formatCount(EVENTS_PER_SECOND)} events/s`];
}

/** What a restore did beyond the backup, for people. */
export function recoveredPairs(
  { recovery, snapshotsDropped }: RestoreReport,
  paint: Paint,
): [string, string][] {
  const pairs: [string, string][] = [];
  if (snapshotsDropped.length > 0) {
    pairs.push([
      'dropped',
      `${plural(snapshotsDropped.length, 'command snapshot')} of events that are not restored`,
    ]);
  }
  if (recovery === null) return pairs;
  const { transactions, eventsReplayed, epochRecord, versionsSkipped } = recovery;
  pairs.push([
    'from the log',
    `${plural(eventsReplayed, 'event')} in ${plural(transactions, 'transaction')}`,
  ]);
  if ((versionsSkipped ?? 0) > 0) {
    const many = `${plural(versionsSkipped!, 'version')} missing inside streams that the log carries on`;
    pairs.push(['warning', paint('warning', many)]);
  }
  const { record, vanished, problem } = epochRecord;
  if (record !== null) pairs.push(['epoch record', record]);
  if (problem !== null)
    pairs.push(['epoch record', paint('bad', `could not be written: ${printable(problem)}`)]);
  if (vanished !== null && vanished.events > 0) {
    const many = `${plural(vanished.events, 'event')} behind this point: consumers may have seen them`;
    pairs.push(['vanished', paint('warning', many)]);
  }
  return pairs;
}

export function stateOf({ chain, recovery }: ChosenPoint): string {
  const { createdAt } = chain.at(-1)!.manifest;
  if (recovery === null) return formatInstant(createdAt);
  return recovery.target.kind === 'time' ? formatTime(recovery.target.time) : recovery.reached.time;
}
