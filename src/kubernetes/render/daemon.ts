import { podTemplate, type Resources, spreadOver } from './pod.ts';
import { labelsOf, type Manifest, metadataOf, type Wanted } from './wanted.ts';

/** `eventcore serve`: it keeps all schedules by itself. */

export const HTTP_PORT = 8321;
const COMPONENT = 'daemon';
/** Jobs that run are ended a minute after they were told to stop. */
const GRACE_SECONDS = 90;
/** The daemon, and the commands that it runs beside each other: each stays below 300 MiB. */
const RESOURCES: Resources = { requests: { cpu: '250m', memory: '512Mi' }, limits: { memory: '2Gi' } };

/** One that works and one that stands by; a claim is for one node in most clusters, so with one there is one pod at a time. */
export function replicasOf({ volumes }: Pick<Wanted, 'volumes'>): number {
  return volumes.length === 0 ? 2 : 1;
}

export function daemonManifests(wanted: Wanted): Manifest[] {
  const isAlone = replicasOf(wanted) === 1;
  return [deployment(wanted, isAlone), service(wanted), ...(isAlone ? [] : [disruptionBudget(wanted)])];
}

function deployment(wanted: Wanted, isAlone: boolean): Manifest {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadataOf(wanted, wanted.name),
    spec: {
      replicas: replicasOf(wanted),
      revisionHistoryLimit: 5,
      strategy: isAlone
        ? { type: 'Recreate' }
        : { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      selector: { matchLabels: selectorOf(wanted) },
      template: podTemplate(wanted, COMPONENT, {
        args: ['serve', '--listen', `0.0.0.0:${HTTP_PORT}`, '--log-level', 'info'],
        ...{ resources: RESOURCES, restartPolicy: 'Always', graceSeconds: GRACE_SECONDS },
        container: {
          ports: [{ name: 'http', containerPort: HTTP_PORT, protocol: 'TCP' }],
          startupProbe: { httpGet: probe(wanted, '/livez'), periodSeconds: 2, failureThreshold: 30 },
          livenessProbe: {
            httpGet: probe(wanted, '/livez'),
            periodSeconds: 20,
            timeoutSeconds: 5,
            failureThreshold: 6,
          },
          readinessProbe: { httpGet: probe(wanted, '/readyz'), periodSeconds: 10, timeoutSeconds: 5 },
        },
        ...(isAlone ? {} : { pod: { topologySpreadConstraints: spreadOver(selectorOf(wanted)) } }),
      }),
    },
  };
}

function selectorOf(wanted: Wanted): Record<string, string> {
  return { ...labelsOf(wanted), 'app.kubernetes.io/component': COMPONENT };
}

function probe({ isTls }: Wanted, path: string) {
  return { path, port: 'http', ...(isTls ? { scheme: 'HTTPS' } : {}) };
}

function service(wanted: Wanted): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf(wanted, wanted.name),
    spec: {
      selector: selectorOf(wanted),
      ports: [{ name: 'http', port: HTTP_PORT, targetPort: 'http', protocol: 'TCP' }],
      // Who has logged in is known to one of them only.
      sessionAffinity: 'ClientIP',
    },
  };
}

function disruptionBudget(wanted: Wanted): Manifest {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadataOf(wanted, wanted.name),
    // A pod that is not ready, as while the vault is away, does not hold up a node that is drained.
    spec: {
      ...{ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
      selector: { matchLabels: selectorOf(wanted) },
    },
  };
}
