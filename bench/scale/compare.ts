import { sizeText } from '../sizes.ts';
import { formatTable } from '../tables.ts';
import type { Observation, WorkCost } from './costs.ts';
import { type Prediction, predict } from './predict.ts';

/** What the model says of what was measured, and how far it is off. Pure. */

export interface Compared extends Pick<Observation, 'work' | 'store' | 'events' | 'parallel'> {
  readonly predicted: Prediction;
  readonly measured: Prediction;
}

/** What is held against each other: seconds, or processors' time. */
export type Judged = 'time' | 'cpu';

export const ALLOWED = 0.15;

export function compareAll(
  costs: readonly WorkCost[],
  observations: readonly Observation[],
  cores: number,
): Compared[] {
  return observations.map(({ work, store, events, parallel, steps }) => {
    const sum = (of: (step: (typeof steps)[number]) => number): number =>
      steps.reduce((total, step) => total + of(step), 0);
    const predicted = predict(costs, { work, store, events, parallel, cores });
    const measured = {
      wallSeconds: sum(({ wallSeconds }) => wallSeconds),
      cpuSeconds: sum(({ clientSeconds, serverSeconds }) => clientSeconds + serverSeconds),
    };
    return { work, store, events, parallel, predicted, measured };
  });
}

/** Prediction to measurement. */
export function ratioOf({ predicted, measured }: Compared, by: Judged): number {
  return by === 'time'
    ? predicted.wallSeconds / measured.wallSeconds
    : predicted.cpuSeconds / measured.cpuSeconds;
}

/** Whichever is the greater, the other is not within 15 % of it. */
export function isFar(compared: Compared, by: Judged): boolean {
  return Math.abs(ratioOf(compared, by) - 1) > ALLOWED;
}

export function comparisonTable(compared: readonly Compared[], by: Judged): string {
  const rows = compared.map((one) => {
    const { work, store, events, parallel, predicted, measured } = one;
    const far = isFar(one, by) ? ' FAR' : '';
    return [
      ...[work, store, sizeText(events), String(parallel)],
      ...[predicted.wallSeconds.toFixed(2), measured.wallSeconds.toFixed(2), ratioOf(one, 'time').toFixed(2)],
      ...[predicted.cpuSeconds.toFixed(2), measured.cpuSeconds.toFixed(2), ratioOf(one, 'cpu').toFixed(2)],
      `${((ratioOf(one, by) - 1) * 100).toFixed(0)} %${far}`,
    ];
  });
  const head = ['work', 'store', 'events', 'parallel', 'predicted s', 'measured s', 'ratio'];
  return formatTable([...head, 'predicted CPU s', 'measured CPU s', 'ratio', 'off'], rows);
}
