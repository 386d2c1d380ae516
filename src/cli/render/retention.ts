import { formatBytes, formatInstant, plural, printable } from '../../core/units.ts';
import type { Decision } from '../../policy/retention-facts.ts';
import type { LogDecision, LogPlan } from '../../policy/retention-log.ts';
import type { PrunePlan, PruneReport } from '../../upkeep/prune.ts';
import { shortIds } from '../backup/names.ts';
import type { Paint } from '../output.ts';
import { renderTable } from './table.ts';

/** What a plan says of everything, for --json. */
export function planDocument({
  backups,
  damaged,
  unfinished,
  logs,
  records,
  stopped,
}: PrunePlan): Record<string, unknown> {
  return {
    stopped,
    backups: backups.map(({ item, kept, reasons }) => ({
      ...{
        backupId: item.backupId,
        kind: item.kind,
        parentId: item.parentId,
        createdAt: instant(item.createdAtMs),
      },
      ...{ sizeBytes: item.sizeBytes, isWhole: item.isWhole, verified: item.verified, kept, reasons },
    })),
    damaged: damaged.map(({ item, kept, reasons }) => ({
      backupId: item.backupId,
      kind: item.kind,
      kept,
      reasons,
    })),
    unfinished: unfinished.map(({ item, kept, reasons }) => ({
      ...{
        backupId: item.backupId,
        kind: item.kind,
        sizeBytes: item.sizeBytes,
        modifiedAt: instant(item.modifiedAtMs),
      },
      ...{ kept, reasons },
    })),
    log: logs.flatMap(({ folder, objects }) =>
      runsOf(objects).map((run) => ({
        ...{ folder, kind: run[0]!.item.kind, objects: run.length, sizeBytes: sizeOf(run) },
        ...{ first: run[0]!.item.name, last: run.at(-1)!.item.name },
        ...{ kept: run[0]!.kept, reasons: run[0]!.reasons },
      })),
    ),
    verifications: records.map(({ item: { name, sizeBytes }, kept, reasons }) => ({
      ...{ name, sizeBytes, kept, reasons },
    })),
  };
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

/** Neighbours of which the same is said. */
function runsOf(objects: readonly LogDecision[]): LogDecision[][] {
  const runs: LogDecision[][] = [];
  for (const object of objects) {
    const last = runs.at(-1)?.[0];
    const isSame =
      last?.kept === object.kept &&
      last.item.kind === object.item.kind &&
      last.reasons.join() === object.reasons.join();
    if (isSame) runs.at(-1)!.push(object);
    else runs.push([object]);
  }
  return runs;
}

function sizeOf(objects: readonly Decision<{ readonly sizeBytes: number }>[]): number {
  return objects.reduce((sum, { item }) => sum + item.sizeBytes, 0);
}

export function planLines(plan: PrunePlan, paint: Paint): string[] {
  return [
    ...backupLines(plan, paint),
    ...logLines(plan.logs, paint),
    ...otherLines(plan, paint),
    ...recordLines(plan, paint),
    ...(plan.stopped === null
      ? []
      : ['', paint('warning', `Nothing is removed: ${printable(plan.stopped.message)}`)]),
  ];
}

const REASONS_SHOWN = 3;

function why(reasons: readonly string[]): string {
  const more = reasons.length - REASONS_SHOWN;
  const shown = reasons.slice(0, REASONS_SHOWN).join('; ');
  return printable(more > 0 ? `${shown}; and ${more} more` : shown);
}

function verdict(kept: boolean, paint: Paint): string {
  return kept ? paint('good', 'keep') : paint('bad', 'remove');
}

function backupLines({ backups }: PrunePlan, paint: Paint): string[] {
  if (backups.length === 0) return ['  No backup is there.'];
  const short = shortIds(backups.map(({ item }) => item.backupId));
  return renderTable(
    [
      ...[{ title: 'BACKUP' }, { title: 'KIND' }, { title: 'TAKEN (UTC)' }],
      ...[{ title: 'SIZE', align: 'right' as const }, { title: '' }, { title: 'WHY' }],
    ],
    backups.map(({ item, kept, reasons }) => [
      ...[short.get(item.backupId)!, item.kind, when(item.createdAtMs)],
      ...[formatBytes(item.sizeBytes), verdict(kept, paint), why(reasons)],
    ]),
  );
}

function when(ms: number): string {
  return formatInstant(instant(ms)).replace(' UTC', '');
}

const NAMES = { file: 'file', gap: 'gap marker', mark: 'quiet mark', key: 'key record' } as const;

function logLines(logs: readonly LogPlan[], paint: Paint): string[] {
  const rows = logs.flatMap(({ folder, objects }) =>
    runsOf(objects).map((run) => {
      const { item, kept, reasons } = run[0]!;
      const last = run.at(-1)!.item.modifiedAtMs;
      return [
        ...[folder, plural(run.length, NAMES[item.kind]), last === null ? '' : when(last)],
        ...[formatBytes(sizeOf(run)), verdict(kept, paint), why(reasons)],
      ];
    }),
  );
  if (rows.length === 0) return [];
  const columns = [
    ...[{ title: 'CHANGE LOG' }, { title: '' }, { title: 'UP TO (UTC)' }],
    ...[{ title: 'SIZE', align: 'right' as const }, { title: '' }, { title: 'WHY' }],
  ];
  return ['', ...renderTable(columns, rows)];
}

function otherLines({ damaged, unfinished }: PrunePlan, paint: Paint): string[] {
  const rows = [
    ...damaged.map(({ item, kept, reasons }) => [
      item.backupId,
      item.kind,
      '',
      verdict(kept, paint),
      why(reasons),
    ]),
    ...unfinished.map(({ item, kept, reasons }) => [
      ...[item.backupId, item.kind, formatBytes(item.sizeBytes), verdict(kept, paint), why(reasons)],
    ]),
  ];
  if (rows.length === 0) return [];
  const columns = [
    ...[{ title: 'NO BACKUP' }, { title: 'KIND' }, { title: 'SIZE', align: 'right' as const }],
    ...[{ title: '' }, { title: 'WHY' }],
  ];
  return ['', ...renderTable(columns, rows)];
}

/** Those that go; that others stay is said by nothing. */
function recordLines({ records }: PrunePlan, paint: Paint): string[] {
  const gone = records.filter(({ kept }) => !kept);
  if (gone.length === 0) return [];
  const columns = [{ title: 'VERIFICATIONS' }, { title: 'SIZE', align: 'right' as const }];
  return [
    '',
    ...renderTable(
      [...columns, { title: '' }, { title: 'WHY' }],
      [
        [
          `${plural(gone.length, 'record')} of ${records.length}`,
          ...[formatBytes(sizeOf(gone)), verdict(false, paint), why(gone[0]!.reasons)],
        ],
      ],
    ),
  ];
}

/** `11 backups (4.2 MB), 7 objects of the change log (1.1 MB) and 1 leftover (4 B)`; null when nothing goes. */
export function describeGone({ backups, unfinished, logs, records }: PrunePlan): string | null {
  const goes = <Item>(decisions: readonly Decision<Item>[]): Decision<Item>[] =>
    decisions.filter(({ kept }) => !kept);
  const parts = [
    countGone(goes(backups), 'backup'),
    countGone(
      goes(logs.flatMap(({ objects }) => objects)),
      'object of the change log',
      'objects of the change log',
    ),
    countGone(goes(unfinished), 'leftover'),
    countGone(goes(records), 'record of verifications', 'records of verifications'),
  ].filter((part) => part !== null);
  return parts.length === 0 ? null : parts.join(', ');
}

function countGone(
  gone: readonly Decision<{ readonly sizeBytes: number }>[],
  one: string,
  many?: string,
): string | null {
  return gone.length === 0 ? null : `${plural(gone.length, one, many)} (${formatBytes(sizeOf(gone))})`;
}

/** What a prune did; what it could not do is named. */
export function reportLines(
  { backups, objects, bytes, refused, spared }: PruneReport,
  paint: Paint,
): string[] {
  return [
    '',
    `${paint('good', 'Removed')} ${plural(objects, 'object')} (${formatBytes(bytes)}), among them ${plural(backups.length, 'backup')}.`,
    ...listed(
      'could not be removed',
      refused.map(({ name, message }) => `${name}: ${message}`),
      paint,
    ),
    ...listed(
      'stay after all',
      spared.map(({ name, reason }) => `${name}: ${reason}`),
      paint,
    ),
  ];
}

const MOST_LISTED = 20;

function listed(what: string, lines: readonly string[], paint: Paint): string[] {
  if (lines.length === 0) return [];
  return [
    paint('warning', `${plural(lines.length, 'object')} ${what}:`),
    ...lines.slice(0, MOST_LISTED).map((line) => `  ${printable(line)}`),
    ...(lines.length > MOST_LISTED ? [`  and ${lines.length - MOST_LISTED} more`] : []),
  ];
}
