import { printable } from '../../core/units.ts';
import type { Check } from '../../doctor/check.ts';
import type { Paint, Tone } from '../output.ts';
import { renderPairs, renderTable } from './table.ts';

const TONES = { good: 'good', warn: 'warning', bad: 'bad', skipped: 'faint' } as const satisfies Record<
  Check['verdict'],
  Tone
>;

/** Checks as a table, and the way out of each that is not good below. */
export function checkLines(checks: readonly Check[], paint: Paint): string[] {
  const rows = checks.map(({ name, verdict, message }) => [
    paint(TONES[verdict], verdict),
    name,
    printable(message),
  ]);
  const hints = checks.filter(({ verdict, hint }) => hint !== null && verdict !== 'good');
  return [
    ...renderTable([{ title: '' }, { title: 'CHECK' }, { title: 'WHAT WAS FOUND' }], rows),
    ...(hints.length === 0
      ? []
      : ['', ...renderPairs(hints.map(({ name, hint }) => [`${name}:`, printable(hint!)]))]),
  ];
}

/** As `checkLines`, where many checks have the same place: each has its way out right below. */
export function manifestLines(checks: readonly Check[], paint: Paint): string[] {
  const rows = checks.map(({ name, verdict, message, hint }) => [
    paint(TONES[verdict], verdict),
    name,
    printable(message) + (hint === null ? '' : `\n${paint('faint', `hint: ${printable(hint)}`)}`),
  ]);
  return renderTable([{ title: '' }, { title: 'WHERE' }, { title: 'WHAT WAS FOUND' }], rows);
}
