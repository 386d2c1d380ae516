import { formatCount, formatDuration, formatInstant, printable } from '../../core/units.ts';
import type { MonitorReport } from '../../format/monitor-report.ts';
import type { MonitorRecord } from '../../integrity/monitor/records.ts';
import type { PastRepair } from '../../integrity/repair/past-repairs.ts';
import { NEVER_TOLD } from '../../policy/alerts.ts';
import { coveredShare, readSweep, type SweepRound } from '../../policy/sweep.ts';
import type { Paint } from '../output.ts';
import { OUTCOMES, openTable } from './monitor.ts';
import { renderPairs, renderTable } from './table.ts';

/** What is on record of a monitor: its last runs, what it remembers, and repairs. */

/** For programs. */
export function historyDocument(
  reports: readonly MonitorReport[],
  record: MonitorRecord,
  repairs: readonly PastRepair[],
): Record<string, unknown> {
  return {
    runs: reports.map(({ sweep: _, owed, open, ...report }) => ({
      ...report,
      open: open.length,
      owed: owed.length,
    })),
    now: nowDocument(record),
    warnings: record.warnings,
    repairs: repairs.map(repairDocument),
  };
}

/** What the next run goes on from; null where nothing is on record. */
function nowDocument({ report, owed }: MonitorRecord): Record<string, unknown> | null {
  if (report === null) return null;
  const sweep = readSweep(report.sweep);
  return {
    ...{ runId: report.runId, startedAt: report.startedAt, outcome: report.outcome },
    sweep:
      sweep === null
        ? null
        : {
            blocks: roundDocument(sweep.blocks),
            buckets: roundDocument(sweep.buckets),
            suspects: sweep.suspects.length,
            avoidedBlocks: sweep.strikes.filter(({ times }) => times > 1).length,
          },
    open: report.open.map(({ told, seenRound: _, ...alert }) => ({
      ...{ ...alert, toldAt: told.at === NEVER_TOLD.at ? null : told.at },
    })),
    blind: report.blind,
    owed: owed.length,
  };
}

/** `round` is from 1. */
function roundDocument(round: SweepRound): Record<string, unknown> {
  const { startedAt, finishedAt } = round;
  return { round: round.round + 1, covered: coveredShare(round), startedAt, finishedAt };
}

function repairDocument({ repairId, beganAt, isOver, record }: PastRepair): Record<string, unknown> {
  return {
    ...{ repairId, beganAt, state: isOver ? 'done' : 'begun' },
    endedAt: record?.state === 'done' ? record.at : null,
    software: record?.software ?? null,
    backupId: record?.backupId ?? null,
    steps:
      record?.steps.map((step) => ({ ...step, outcome: 'outcome' in step ? step.outcome : null })) ?? null,
  };
}

/** For people. */
export function historyLines(
  reports: readonly MonitorReport[],
  record: MonitorRecord,
  repairs: readonly PastRepair[],
  paint: Paint,
): string[] {
  if (reports.length === 0) return ['No run of the monitor is on record.'];
  const { report } = record;
  return [
    ...runTable(reports, paint),
    ...sweepLines(report),
    ...(report === null || report.open.length === 0 ? [] : ['', ...openTable(report.open)]),
    ...repairLines(repairs, paint),
  ];
}

const RIGHT = 'right' as const;

function runTable(reports: readonly MonitorReport[], paint: Paint): string[] {
  const rows = reports.map(({ startedAt, outcome, looked, checks, open, durationMs }) => [
    formatInstant(startedAt),
    paint(OUTCOMES[outcome].tone, outcome),
    formatCount(looked.events),
    formatCount(looked.compared),
    formatCount(open.length),
    formatDuration(durationMs),
    foundText(checks),
  ]);
  return renderTable(
    [
      ...[{ title: 'WHEN' }, { title: 'OUTCOME' }, { title: 'EVENTS', align: RIGHT }],
      ...[
        { title: 'COMPARED', align: RIGHT },
        { title: 'OPEN', align: RIGHT },
      ],
      ...[{ title: 'TOOK', align: RIGHT }, { title: 'FOUND' }],
    ],
    rows,
  );
}

function foundText(checks: MonitorReport['checks']): string {
  const found = checks.filter(({ findings }) => findings > 0);
  return found.map(({ name, findings }) => `${name} ${formatCount(findings)}`).join(', ');
}

function sweepLines(report: MonitorReport | null): string[] {
  const sweep = readSweep(report?.sweep ?? null);
  if (sweep === null) return [];
  return [
    '',
    ...renderPairs([
      ['blocks', roundText(sweep.blocks)],
      ['streams', roundText(sweep.buckets)],
    ]),
  ];
}

/** `round 3, 45 % of it; all were looked at last 2026-11-29 18:24:52 UTC` */
function roundText(round: SweepRound): string {
  const last =
    round.finishedAt === null
      ? 'not all were looked at yet'
      : `all were looked at last ${formatInstant(round.finishedAt)}`;
  return `round ${round.round + 1}, ${Math.floor(coveredShare(round) * 100)} % of it; ${last}`;
}

function repairLines(repairs: readonly PastRepair[], paint: Paint): string[] {
  if (repairs.length === 0) return [];
  const rows = repairs.map(({ repairId, beganAt, isOver, record }) => [
    formatInstant(beganAt),
    repairId.slice(0, 8),
    isOver ? 'done' : paint('warning', 'under way, or died'),
    printable(record === null ? 'its record cannot be read' : stepsText(record)),
  ]);
  return [
    '',
    ...renderTable(
      ['REPAIR', 'ID', 'STATE', 'STEPS'].map((title) => ({ title })),
      rows,
    ),
  ];
}

/** Events or statements, by the kind. */
function stepsText({ steps }: NonNullable<PastRepair['record']>): string {
  return steps
    .map((step) => {
      const what = `${step.kind} (${formatCount(step.count)})`;
      return 'outcome' in step ? `${what} ${step.outcome}` : what;
    })
    .join(', ');
}
