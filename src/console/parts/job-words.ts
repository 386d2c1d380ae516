import type { JobName } from '../../core/job.ts';

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
