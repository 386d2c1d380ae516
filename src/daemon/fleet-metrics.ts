import { JOB_NAMES } from '../core/job.ts';
import { HEALTH_TONES, type HealthTone } from '../policy/store-health.ts';
import type { MetricFamily, Sample } from './metric-family.ts';
import type { JobView } from './registry.ts';

/** Of all stores together: as many series for a thousand stores as for one. */

const STATES: Readonly<Record<HealthTone, string>> = {
  ...{ bad: 'bad', warning: 'warning', faint: 'not_known', good: 'good' },
};

const OBJECTIVES = ['rpo', 'region_rpo', 'rto', 'verified_within', 'drilled_within'] as const;

export const FLEET_METRICS: readonly MetricFamily[] = [
  {
    name: 'eventcore_fleet_stores',
    help: 'stores of this daemon by how they are; unreadable: not served, since its configuration cannot be; gone: its configuration is there no more',
    ...{ type: 'gauge', labels: ['state'] },
    samples: ({ all, missing }) => [
      ...HEALTH_TONES.map((tone) =>
        sampleOf({ state: STATES[tone] }, all().stores.filter((store) => store.tone === tone).length),
      ),
      ...(['unreadable', 'gone'] as const).map((wanted) =>
        sampleOf({ state: wanted }, missing().filter(({ state }) => state === wanted).length),
      ),
    ],
  },
  {
    name: 'eventcore_fleet_stores_shown',
    help: 'stores that have metrics of their own; of many, those that are not well',
    ...{ type: 'gauge', labels: [] },
    samples: ({ stores }) => [sampleOf({}, stores().length)],
  },
  {
    name: 'eventcore_fleet_objectives',
    help: 'promises of all stores by whether they are kept: kept, breached, unknown',
    ...{ type: 'gauge', labels: ['objective', 'state'] },
    samples: ({ all }) => {
      const objectives = all().stores.flatMap((store) => store.objectives);
      return OBJECTIVES.flatMap((name) =>
        (['kept', 'breached', 'unknown'] as const).map((state) =>
          sampleOf(
            { objective: name, state },
            objectives.filter((one) => one.name === name && one.state === state).length,
          ),
        ),
      );
    },
  },
  {
    name: 'eventcore_fleet_backup_bytes',
    help: 'what all backups of all stores take in their vaults, as far as it is known',
    ...{ type: 'gauge', labels: [] },
    samples: ({ all }) => [
      sampleOf(
        {},
        all().stores.reduce((sum, { status }) => sum + (status?.backupBytes ?? 0), 0),
      ),
    ],
  },
  {
    name: 'eventcore_fleet_late_stores',
    help: 'stores of which a job waits for its turn for more than a quarter of an hour',
    ...{ type: 'gauge', labels: [] },
    samples: ({ all }) => [sampleOf({}, all().stores.filter(({ isLate }) => isLate).length)],
  },
  jobCounts(
    'eventcore_fleet_jobs_running',
    'jobs of all stores that this daemon runs now',
    ({ runningSinceMs }) => runningSinceMs !== null,
  ),
  jobCounts(
    'eventcore_fleet_jobs_failing',
    'jobs of all stores whose last run failed, in whatever daemon',
    ({ last }) => last?.state === 'failed',
  ),
];

/** By job: as many as there are kinds of jobs. */
function jobCounts(name: string, help: string, counts: (view: JobView) => boolean): MetricFamily {
  return {
    ...{ name, help, type: 'gauge', labels: ['job_name'] },
    samples: ({ all }) =>
      JOB_NAMES.map((job) =>
        sampleOf({ job_name: job }, all().jobs.filter((view) => view.job === job && counts(view)).length),
      ),
  };
}

function sampleOf(labels: Sample['labels'], value: number): Sample {
  return { labels, value };
}
