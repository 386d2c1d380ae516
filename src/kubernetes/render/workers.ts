import { WORKER } from './network-policy.ts';
import { podTemplate, type Resources, spreadOver } from './pod.ts';
import { labelsOf, type Manifest, metadataOf, namesOf, type Wanted, type WantedWorkers } from './wanted.ts';

/** `eventcore worker`: pods that take jobs from a queue, as many as there are (docs/kubernetes.md). */

const RESOURCES: Resources = { requests: { cpu: '1', memory: '512Mi' }, limits: { memory: '2Gi' } };
/** Jobs that run may end within 20 s of SIGTERM, and are given up then: another worker has them. */
const GRACE_SECONDS = 60;

export function workerManifests(wanted: Wanted, workers: WantedWorkers): Manifest[] {
  return [deployment(wanted, workers), disruptionBudget(wanted)];
}

function deployment(wanted: Wanted, { concurrency, variables, files }: WantedWorkers): Manifest {
  const own = { ...wanted, variables, files, targets: [] };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadataOf(wanted, namesOf(wanted).worker),
    spec: {
      // How many there are is for `kubectl scale` or a scaler to say: a number here would be set anew whenever this is applied.
      revisionHistoryLimit: 5,
      // One that takes jobs of a new version is there before one of the old is gone.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      selector: { matchLabels: selectorOf(wanted) },
      template: podTemplate(own, WORKER, {
        args: ['worker', '--concurrency', String(concurrency), '--log-level', 'info'],
        ...{ resources: RESOURCES, restartPolicy: 'Always', graceSeconds: GRACE_SECONDS },
        mountsToken: false,
        pod: { topologySpreadConstraints: spreadOver(selectorOf(wanted)) },
      }),
    },
  };
}

function selectorOf(wanted: Wanted): Record<string, string> {
  return { ...labelsOf(wanted), 'app.kubernetes.io/component': WORKER };
}

/** Drains take one after the other, so that jobs do not begin anew on one that is drained next. */
function disruptionBudget(wanted: Wanted): Manifest {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadataOf(wanted, namesOf(wanted).worker),
    spec: {
      ...{ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
      selector: { matchLabels: selectorOf(wanted) },
    },
  };
}
