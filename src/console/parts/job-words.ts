import type { JobEnd, JobName } from '../../core/job.ts';
import type { Tone } from './badge.ts';

/** What people call the jobs. */
export const JOB_WORDS: Readonly<Record<JobName, string>> = {
  full: 'Full backup',
  incremental: 'Incremental backup',
  archive: 'Change log',
  sync: 'Copies to regions',
  prune: 'Clean-up',
  verify: 'Verification',
  monitor: 'Integrity monitor',
  drill: 'Recovery drill',
  sample: 'Disaster samples',
  doctor: 'Check-up',
};

/** How a run came out. One that found something by itself has run, and is not simply done. */
export function endWords({ state, exitCode }: Pick<JobEnd, 'state' | 'exitCode'>): readonly [Tone, string] {
  if (state === 'failed') return ['bad', 'failed'];
  if (state === 'interrupted') return ['faint', 'stopped'];
  if (exitCode === NOTHING_THERE) return ['faint', 'nothing to do yet'];
  return exitCode === 0 ? ['good', 'done'] : ['warning', 'found something'];
}

/** There is no backup yet. */
const NOTHING_THERE = 3;
