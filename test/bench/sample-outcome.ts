import type { Contender, Work } from '../../bench/contenders/contender.ts';
import type { Machine } from '../../bench/machine.ts';
import type { Figures, Outcome, Result } from '../../bench/results.ts';

export const MACHINE: Machine = {
  ...{ processor: 'Made Up 9000', cores: 2, memoryGiB: 24, system: 'Linux 6.1' },
  versions: { Node: '24.0.0', PostgreSQL: '15.1' },
};

export function figures(changes: Partial<Figures> = {}): Figures {
  return {
    ...{ wallSeconds: 10, clientCpuSeconds: 8, serverCpuSeconds: 5, peakMiB: 150, bytes: 1_000_000 },
    ...changes,
  };
}

export function result(
  name: string,
  role: Contender['role'],
  changes: Partial<Figures> = {},
  work: Work = 'full backup',
): Result {
  const summary = figures(changes);
  return { name, work, role, summary, runs: [summary, summary, summary] };
}

/** Ours is a quarter of the baseline's time and half of its bytes. */
export function outcome(changes: Partial<Outcome> = {}): Outcome {
  return {
    ...{ events: 1_000_000, date: '2026-11-24', machine: MACHINE, leftOut: [] },
    results: [
      result('backup', 'ours', { wallSeconds: 5, bytes: 500_000 }),
      result('pg_dump -Fc', 'baseline', { wallSeconds: 20, peakMiB: 15 }),
      result('COPY binary | zstd -1', 'peer', { wallSeconds: 8, bytes: 950_000 }),
      result('verify', 'ours', { wallSeconds: 3, serverCpuSeconds: 0, bytes: null }, 'verify'),
    ],
    ...changes,
  };
}
