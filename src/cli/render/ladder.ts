import type { RungResult } from '../../core/rungs.ts';
import type { Paint } from '../output.ts';

/** `up to counts`, or `fails at checksum`. */
export function ladderReach(rungs: readonly RungResult[], paint: Paint): string {
  const failed = rungs.find(({ state }) => state === 'failed');
  if (failed !== undefined) return paint('bad', `fails at ${failed.name}`);
  const top = rungs.findLast(({ state }) => state === 'passed');
  return top === undefined ? '' : `up to ${top.name}`;
}

const SIGNS = { passed: '✓', failed: '✗', skipped: '–' } as const;
const TONES = { passed: 'good', failed: 'bad', skipped: 'faint' } as const;

/** The whole ladder in a line: `existence ✓  size ✓  checksum ✗  seal –  …`. */
export function ladderLine(rungs: readonly RungResult[], paint: Paint): string {
  return rungs.map(({ name, state }) => paint(TONES[state], `${name} ${SIGNS[state]}`)).join('  ');
}
