import type { Machine } from '../machine.ts';

/** What work costs, from what was observed of it: straight lines over the number of events. Pure. */

export const WORKS = ['backup', 'verify', 'restore'] as const;
export type Work = (typeof WORKS)[number];
export const STORES = ['postgres', 'sqlite'] as const;
export type Store = (typeof STORES)[number];

/** What one command took, step by step. Of several runs the quickest of each step: noise only ever adds. */
export interface Observation {
  readonly work: Work;
  readonly store: Store;
  readonly events: number;
  readonly parallel: number;
  readonly steps: readonly StepObservation[];
}

export interface StepObservation {
  readonly name: string;
  readonly wallSeconds: number;
  /** Processor time of the command with all its threads, and of PostgreSQL. */
  readonly clientSeconds: number;
  readonly serverSeconds: number;
}

/** `fixed` whatever the events are, and so much for each. Seconds. */
export interface Line {
  readonly fixed: number;
  readonly perEvent: number;
}

/**
 * A step, alone (`--parallel 1`) and with two at a time (`--parallel 2`), which begins with `twoFrom` events: `few` are one part, beside a thread
 * that was begun for nothing.
 */
export interface StepCost {
  readonly name: string;
  readonly alone: StepLines;
  readonly few: StepLines;
  readonly two: StepLines;
  readonly twoFrom: number;
}

interface StepLines {
  readonly wall: Line;
  readonly client: Line;
  readonly server: Line;
}

export interface WorkCost {
  readonly work: Work;
  readonly store: Store;
  readonly steps: readonly StepCost[];
}

/** Bytes of an event: its values; as the server sends them; encoded; and as they lie in the vault, with all that belongs to a backup. */
export interface EventBytes {
  readonly values: number;
  readonly sent: number;
  readonly plain: number;
  readonly stored: number;
}

/** What is committed: `docs/operating/scale.json`. */
export interface Calibration {
  /** As `2026-11-30`. */
  readonly date: string;
  readonly machine: Machine;
  readonly events: readonly number[];
  readonly runs: number;
  readonly bytes: EventBytes;
  readonly observations: readonly Observation[];
  /** What a reader must know of it: shown on the page. */
  readonly note?: string;
}

/** Framing of a row in PostgreSQL's binary COPY, and the columns that are no values: versions, times. */
export const SENT_OVERHEAD_BYTES = 61;

export function costsOf({ observations, bytes }: Pick<Calibration, 'observations' | 'bytes'>): WorkCost[] {
  return WORKS.flatMap((work) =>
    STORES.flatMap((store) => {
      const own = observations.filter((one) => one.work === work && one.store === store);
      return own.length === 0 ? [] : [{ work, store, steps: stepsOf(own, bytes) }];
    }),
  );
}

/** A part of a file of SQLite, and what of a file a thread is begun for: see `LEAST_RANGE_BYTES` and `WORTH_A_THREAD_BYTES` in src/. */
const LEAST_PART_BYTES = 16 << 20;

/** How many events are two parts. */
function twoPartsFrom(step: string, store: Store, { values, plain }: EventBytes): number {
  if (step === 'verifying') return (2 * LEAST_PART_BYTES) / plain;
  return step === 'reading events' && store === 'sqlite' ? (2 * LEAST_PART_BYTES) / values : 0;
}

export function findCost(costs: readonly WorkCost[], work: Work, store: Store): WorkCost {
  const found = costs.find((cost) => cost.work === work && cost.store === store);
  if (found === undefined) throw new Error(`${work} of ${store} was not calibrated`);
  return found;
}

function stepsOf(observations: readonly Observation[], bytes: EventBytes): StepCost[] {
  const { steps, store } = observations[0]!;
  return steps.map(({ name }) => {
    const twoFrom = twoPartsFrom(name, store, bytes);
    const pointsAt = (parallel: number): StepPoint[] =>
      observations
        .filter((one) => one.parallel === parallel)
        .map(({ events, steps }) => ({ events, step: steps.find((step) => step.name === name)! }));
    const [alone, withTwo] = [pointsAt(1), pointsAt(2)];
    const few = withTwo.filter(({ events }) => events < twoFrom);
    const two = withTwo.filter(({ events }) => events >= twoFrom);
    return {
      ...{ name, twoFrom, alone: linesOf(alone) },
      few: linesOf(few.length < 2 ? alone : few),
      two: linesOf(two.length < 2 ? withTwo : two),
    };
  });
}

interface StepPoint {
  readonly events: number;
  readonly step: StepObservation;
}

function linesOf(points: readonly StepPoint[]): StepLines {
  const line = (figure: (step: StepObservation) => number): Line =>
    fitLine(points.map(({ events, step }) => ({ events, seconds: figure(step) })));
  return {
    wall: line(({ wallSeconds }) => wallSeconds),
    client: line(({ clientSeconds }) => clientSeconds),
    server: line(({ serverSeconds }) => serverSeconds),
  };
}

/**
 * The line with the least squares of what it is off, as parts of what was seen (so that small sizes count as much as large ones);
 * neither its start nor its slope is below 0.
 */
export function fitLine(points: readonly { readonly events: number; readonly seconds: number }[]): Line {
  if (points.length === 0) throw new Error('a line needs points');
  // Processors' time is counted in hundredths of a second: what is less says nothing of a part.
  const weighed = points.map(({ events, seconds }) => ({
    events,
    seconds,
    weight: 1 / Math.max(seconds, 0.05) ** 2,
  }));
  const sum = (of: (point: (typeof weighed)[number]) => number): number =>
    weighed.reduce((total, point) => total + point.weight * of(point), 0);
  const weight = sum(() => 1);
  const meanEvents = sum(({ events }) => events) / weight;
  const meanSeconds = sum(({ seconds }) => seconds) / weight;
  const spread = sum(({ events }) => (events - meanEvents) ** 2);
  const slope =
    spread === 0 ? 0 : sum(({ events, seconds }) => (events - meanEvents) * (seconds - meanSeconds)) / spread;
  if (slope <= 0) return { fixed: Math.max(0, meanSeconds), perEvent: 0 };
  const fixed = meanSeconds - slope * meanEvents;
  if (fixed >= 0) return { fixed, perEvent: slope };
  return {
    fixed: 0,
    perEvent: sum(({ events, seconds }) => events * seconds) / sum(({ events }) => events ** 2),
  };
}

/** What of a step with two at a time is only ever done by one: the time that one of two processors stood idle. Seconds an event. */
export function serialSeconds({ two }: StepCost): number {
  const busy = two.client.perEvent + two.server.perEvent;
  return Math.min(two.client.perEvent, Math.max(0, 2 * two.wall.perEvent - busy));
}

/** The quickest of each step over several runs of the same; of the server's time, which is seen late now and then, the middle one. */
export function bestOf(runs: readonly (readonly StepObservation[])[]): StepObservation[] {
  return runs[0]!.map(({ name }, place) => {
    const least = (of: (step: StepObservation) => number): number =>
      Math.min(...runs.map((steps) => of(steps[place]!)));
    const servers = runs.map((steps) => steps[place]!.serverSeconds).toSorted((a, b) => a - b);
    return {
      name,
      wallSeconds: least(({ wallSeconds }) => wallSeconds),
      clientSeconds: least(({ clientSeconds }) => clientSeconds),
      serverSeconds: servers[servers.length >> 1]!,
    };
  });
}
