import type { DrillObjective, DrillResult, DrillState } from '../../core/drill.ts';
import { formatCount, formatDuration, plural, printable } from '../../core/units.ts';
import type { DrillReport } from '../../drills/drill.ts';
import { formatSpan } from '../../policy/duration.ts';
import type { Output, Tone } from '../output.ts';
import { renderPairs, renderTable } from './table.ts';

const TONES = { passed: 'good', failed: 'bad', not_due: 'faint', skipped: 'faint' } as const satisfies Record<
  DrillState,
  Tone
>;

/** Of a drill that just ran, and of one that is read from its evidence. */
export type ShownDrill = Pick<
  DrillReport,
  'overallSuccess' | 'tests' | 'measurements' | 'objectives' | 'notes' | 'durationMs' | 'target'
>;

export function drillLines(drill: ShownDrill, paint: Output['paint']): string[] {
  const { overallSuccess, tests, durationMs, target, notes } = drill;
  const failed = tests.filter(({ state }) => state === 'failed').length;
  const verdict = overallSuccess
    ? paint('good', 'Drill passed')
    : paint(
        'bad',
        failed === 0 ? 'Drill proved nothing' : `Drill failed: ${plural(failed, 'test')} of ${tests.length}`,
      );
  return [
    `${verdict}, in ${formatDuration(durationMs)}, restoring into ${target}`,
    ...testTable(tests, paint),
    ...renderPairs([
      ...measuredPairs(drill, paint),
      ...notes.map((note) => ['note', printable(note)] as const),
    ]),
  ];
}

function testTable(tests: readonly DrillResult[], paint: Output['paint']): string[] {
  return renderTable(
    [{ title: 'TEST' }, { title: 'RESULT' }, { title: 'TIME', align: 'right' }, { title: '' }],
    tests.map(({ name, state, ms, reason }) => [
      name,
      paint(TONES[state], state.replace('_', ' ')),
      formatDuration(ms),
      printable(reason ?? ''),
    ]),
  );
}

function measuredPairs(
  { measurements, objectives }: ShownDrill,
  paint: Output['paint'],
): (readonly [string, string])[] {
  const { restores, recoverableAgeMs, eventsAtRisk } = measurements;
  return [
    ...restores.map(({ test, region, events, restoreMs, eventsPerSecond }) => {
      const from = region === 'primary' ? '' : ` from ${printable(region)}`;
      const rate = `${formatCount(eventsPerSecond)} events/s`;
      return [
        'restored',
        `${plural(events, 'event')}${from} in ${formatDuration(restoreMs)}, ${rate} (${test})`,
      ] as const;
    }),
    ...(recoverableAgeMs === null
      ? []
      : [
          [
            'at risk',
            `${riskText(eventsAtRisk)}the newest instant is ${formatDuration(recoverableAgeMs)} old`,
          ] as const,
        ]),
    ...objectives.map((objective) => ['objective', objectiveText(objective, paint)] as const),
  ];
}

function riskText(events: number | null): string {
  return events === null ? '' : `${plural(events, 'event')}; `;
}

function objectiveText({ name, targetMs, measuredMs, met }: DrillObjective, paint: Output['paint']): string {
  const is = measuredMs === null ? 'not known' : formatDuration(measuredMs);
  return `${name} ${met ? paint('good', 'met') : paint('bad', 'missed')}: ${is}, promised ${formatSpan(targetMs)}`;
}
