import type { Calibration, Observation, StepObservation, Store, Work } from '../../../bench/scale/costs.ts';

/** Seconds of a step: its wall, and its processor time in the command and in the server, each `[fixed, for a million events]`. */
interface Sample {
  readonly name: string;
  readonly wall: readonly [number, number];
  readonly client: readonly [number, number];
  readonly server: readonly [number, number];
}

const START: Sample = { name: 'start', wall: [0.25, 0], client: [0.27, 0], server: [0.02, 0] };
const CHECK: Sample = { name: 'verifying', wall: [0.1, 0.5], client: [0.15, 0.85], server: [0, 0] };

/** Near to what the machine of docs/benchmarks.md takes with two at a time. */
const STEPS: Readonly<Record<Work, readonly Sample[]>> = {
  backup: [
    START,
    { name: 'reading events', wall: [0.3, 3.3], client: [0.5, 3.4], server: [0.1, 2.7] },
    CHECK,
  ],
  verify: [START, CHECK],
  restore: [
    START,
    { name: 'loading events', wall: [0.2, 4.2], client: [0.3, 2.1], server: [0.1, 4.1] },
    { name: 'building indexes', wall: [0.1, 2.1], client: [0.05, 0.3], server: [0.1, 3.6] },
    { name: 'publishing', wall: [0.06, 0], client: [0.02, 0], server: [0.04, 0] },
  ],
};

export function observationOf(
  work: Work,
  store: Store,
  { events, parallel, factor = 1 }: { events: number; parallel: number; factor?: number },
): Observation {
  // Alone it takes half as long again, and no more of the processors.
  const slower = parallel === 1 ? 1.5 : 1;
  const at = ([fixed, perMillion]: readonly [number, number]): number =>
    factor * (fixed + perMillion * (events / 1e6));
  const steps = STEPS[work].map(
    ({ name, wall, client, server }): StepObservation => ({
      ...{ name, wallSeconds: at(wall) * slower, clientSeconds: at(client), serverSeconds: at(server) },
    }),
  );
  return { work, store, events, parallel, steps };
}

export const SAMPLE: Calibration = {
  date: '2026-11-30',
  machine: { processor: 'sample', cores: 2, memoryGiB: 24, system: 'Linux 6.18', versions: {} },
  ...{
    events: [300_000, 700_000, 1_500_000],
    runs: 3,
    bytes: { values: 441, sent: 502, plain: 123, stored: 95 },
  },
  observations: (['backup', 'verify', 'restore'] as const).flatMap((work) =>
    (['postgres', 'sqlite'] as const).flatMap((store) =>
      [300_000, 700_000, 1_500_000].flatMap((events) =>
        [1, 2].map((parallel) => observationOf(work, store, { events, parallel })),
      ),
    ),
  ),
};
