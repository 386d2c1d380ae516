import {
  type Manifest,
  metadataOf,
  namesOf,
  type QueuePlace,
  type Wanted,
  type WantedWorkers,
} from './wanted.ts';

/** How many workers there are, by how many jobs there are to do: for KEDA, which asks the queue's database. */

/**
 * Never none: who has work to give looks for somebody to take it first, and does it alone where nobody is there. So jobs would never wait for a
 * first worker.
 */
const FEWEST = 1;
/** Each has some connections to the queue and one for each job to a store. */
const MOST = 8;
const POLL_SECONDS = 15;
/** Whoever is ended gives its jobs up, and they begin anew: one at a time, and not for a lull. */
const CALM_SECONDS = 600;
/** Of the login of the queue (docs/roles.md). */
export const QUEUE_PASSWORD = { secret: 'eventcore-queue-login', key: 'password' };

/** Jobs that wait, for their first worker or their next, and those under way; not those that are over, or failed for good. */
export function jobsToDo(schema: string): string {
  return `SELECT count(*) FROM ${schema}.job WHERE name LIKE 'jobs-%' AND state IN ('created', 'retry', 'active')`;
}

export function scalingManifests(wanted: Wanted, workers: WantedWorkers): Manifest[] {
  return [authentication(wanted), scaledObject(wanted, workers)];
}

function authentication(wanted: Wanted): Manifest {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'TriggerAuthentication',
    metadata: metadataOf(wanted, namesOf(wanted).worker),
    spec: {
      secretTargetRef: [{ parameter: 'password', name: QUEUE_PASSWORD.secret, key: QUEUE_PASSWORD.key }],
    },
  };
}

function scaledObject(wanted: Wanted, { queue, concurrency }: WantedWorkers): Manifest {
  const { worker } = namesOf(wanted);
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: metadataOf(wanted, worker),
    spec: {
      scaleTargetRef: { name: worker },
      ...{ minReplicaCount: FEWEST, maxReplicaCount: MOST, pollingInterval: POLL_SECONDS },
      advanced: {
        horizontalPodAutoscalerConfig: {
          behavior: {
            scaleDown: {
              stabilizationWindowSeconds: CALM_SECONDS,
              policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }],
            },
          },
        },
      },
      triggers: [
        {
          type: 'postgresql',
          // As many workers as take all of them at once.
          metricType: 'AverageValue',
          metadata: {
            ...{ host: seenFromElsewhere(queue, wanted.namespace), port: String(queue.port) },
            ...{ userName: queue.user, dbName: queue.database, sslmode: queue.sslMode },
            ...{ query: jobsToDo(queue.schema), targetQueryValue: String(concurrency) },
          },
          authenticationRef: { name: worker },
        },
      ],
    },
  };
}

/** KEDA asks from its own namespace. */
function seenFromElsewhere({ host }: QueuePlace, namespace: string): string {
  return host.includes('.') || host.includes(':') ? host : `${host}.${namespace}.svc`;
}
