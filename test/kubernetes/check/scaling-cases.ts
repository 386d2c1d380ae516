import { type Case, set, type Value, type World } from './world.ts';

const META = { name: 'worker', namespace: 'eventcore' };

/** Workers and what scales them, without a fault; the scaler is given. */
function scaled({ others }: World): Value {
  const scaler: Value = {
    ...{ apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', metadata: META },
    spec: {
      ...{ scaleTargetRef: { name: 'worker' }, minReplicaCount: 1, maxReplicaCount: 8, pollingInterval: 15 },
      advanced: { horizontalPodAutoscalerConfig: { behavior: {} } },
      triggers: [
        {
          type: 'postgresql',
          metadata: {
            ...{ host: 'db', port: '5432', userName: 'queue_login', dbName: 'queue', sslmode: 'require' },
            ...{ query: 'SELECT 1', targetQueryValue: '4' },
          },
          authenticationRef: { name: 'worker' },
        },
      ],
    },
  };
  others.push(
    {
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: META },
      spec: { template: { spec: { containers: [{ name: 'eventcore', args: ['worker'] }] } } },
    },
    {
      ...{ apiVersion: 'keda.sh/v1alpha1', kind: 'TriggerAuthentication', metadata: META },
      spec: { secretTargetRef: [{ parameter: 'password', name: 'eventcore-queue-login', key: 'password' }] },
    },
    scaler,
  );
  return scaler;
}

const changed =
  (path: string, value: unknown) =>
  (world: World): void =>
    set(scaled(world), path, value);

/** Workers that are scaled. */
export const SCALING_CASES: readonly Case[] = [
  {
    says: 'nothing of workers that are scaled by their queue',
    change: (world) => {
      scaled(world);
    },
    found: [],
  },
  {
    says: 'a scaler that leaves no worker, of whom nobody would then ask for one',
    change: changed('spec.minReplicaCount', 0),
    found: ['error scaling_invalid spec.minReplicaCount'],
  },
  {
    says: 'the same where nothing is said of it',
    change: changed('spec.minReplicaCount', undefined),
    found: ['error scaling_invalid spec'],
  },
  {
    says: 'nothing of others that may be left without a pod',
    change: (world) => {
      set(scaled(world), 'spec.minReplicaCount', 0);
      set(world.others[0]!, 'spec.template.spec.containers', [{ name: 'web', args: ['serve'] }]);
    },
    found: [],
  },
  {
    says: 'bounds that KEDA refuses',
    change: (world) => {
      const scaler = scaled(world);
      set(scaler, 'spec.minReplicaCount', 9);
      set(scaler, 'spec.idleReplicaCount', 9);
    },
    found: ['error scaling_invalid spec.idleReplicaCount', 'error scaling_invalid spec.minReplicaCount'],
  },
  {
    says: 'numbers in the metadata of a trigger, which are texts',
    change: changed('spec.triggers.0.metadata.port', 5432),
    found: ['error field_type spec.triggers[0].metadata.port'],
  },
  {
    says: 'a trigger without what the scaler connects with, or asks for',
    change: (world) => {
      const scaler = scaled(world);
      set(scaler, 'spec.triggers.0.metadata.sslmode', undefined);
      set(scaler, 'spec.triggers.0.metadata.query', undefined);
      set(scaler, 'spec.triggers.0.metadata.targetQueryValue', '0');
    },
    found: Array<string>(3).fill('error scaling_invalid spec.triggers[0].metadata'),
  },
  {
    says: 'a password where the scaler does not look for it',
    change: changed('spec.triggers.0.metadata.password', '${QUEUE_PASSWORD}'),
    found: ['error scaling_invalid spec.triggers[0].metadata.password'],
  },
  {
    says: 'fields that KEDA does not know',
    change: changed('spec.minReplicas', 1),
    found: ['error field_unknown spec.minReplicas'],
  },
  {
    says: 'a scaler of nothing, and an authentication that is not there',
    change: (world) => {
      const scaler = scaled(world);
      set(scaler, 'spec.scaleTargetRef.name', 'workers');
      set(scaler, 'spec.triggers.0.authenticationRef.name', 'workers');
    },
    found: [
      'error reference_missing spec.scaleTargetRef.name',
      'error reference_missing spec.triggers[0].authenticationRef.name',
    ],
  },
];
