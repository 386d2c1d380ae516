import { podTemplate, type Resources } from './pod.ts';
import { labelsOf, type Manifest, metadataOf, type Wanted, type WantedJob } from './wanted.ts';

/** Each job as a CronJob, for those who would rather have Kubernetes keep the schedules; what runs until it is stopped as a Deployment. */

const RESOURCES: Resources = { requests: { cpu: '250m', memory: '256Mi' }, limits: { memory: '1Gi' } };
const GRACE_SECONDS = 90;
/** A run that could not begin for so long waits for its next time. It also keeps a CronJob from giving up after a hundred times that it missed. */
const STARTING_SECONDS = 3600;
const TRIES = 2;
/** Exit codes that another try would end with as well: usage, nothing there, damage, keys, refusals, a part that is left. */
const FINAL_CODES = [2, 3, 4, 8, 9, 10];
/** Of what runs only when somebody asks: once a year, if it were not suspended. */
const NEVER = { cron: '0 0 1 1 *', timeZone: 'UTC' };

export function cronJobManifests(wanted: Wanted): Manifest[] {
  return wanted.jobs.map((job) =>
    job.timing.kind === 'always' ? endless(wanted, job) : cronJob(wanted, job, job.timing),
  );
}

type Timed = Exclude<WantedJob['timing'], { readonly kind: 'always' }>;

function cronJob(wanted: Wanted, job: WantedJob, timing: Timed): Manifest {
  const { cron, timeZone } = timing.kind === 'asked' ? NEVER : timing;
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: metadataOf(wanted, `${wanted.name}-${job.name}`),
    spec: {
      ...{ schedule: cron, timeZone, suspend: timing.kind === 'asked' },
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: STARTING_SECONDS,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 3,
      jobTemplate: {
        metadata: { labels: componentLabels(wanted, job) },
        spec: jobSpec(wanted, job),
      },
    },
  };
}

function jobSpec(wanted: Wanted, job: WantedJob) {
  return {
    backoffLimit: TRIES,
    activeDeadlineSeconds: wanted.deadlineSeconds,
    podFailurePolicy: {
      rules: [
        // A node that is drained is no failure of the job.
        { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        {
          action: 'FailJob',
          onExitCodes: { containerName: 'eventcore', operator: 'In', values: [...FINAL_CODES] },
        },
      ],
    },
    template: podTemplate(wanted, job.name, {
      args: job.args,
      ...{ resources: RESOURCES, restartPolicy: 'Never' as const, graceSeconds: GRACE_SECONDS },
    }),
  };
}

function componentLabels(wanted: Wanted, job: WantedJob): Record<string, string> {
  return { ...labelsOf(wanted), 'app.kubernetes.io/component': job.name };
}

/** One at a time: two would capture the same. */
function endless(wanted: Wanted, job: WantedJob): Manifest {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadataOf(wanted, `${wanted.name}-${job.name}`),
    spec: {
      replicas: 1,
      revisionHistoryLimit: 5,
      strategy: { type: 'Recreate' },
      selector: { matchLabels: componentLabels(wanted, job) },
      template: podTemplate(wanted, job.name, {
        args: job.args,
        ...{ resources: RESOURCES, restartPolicy: 'Always', graceSeconds: GRACE_SECONDS },
      }),
    },
  };
}
