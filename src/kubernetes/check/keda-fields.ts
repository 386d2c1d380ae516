import type { Fields } from './fields.ts';

/**
 * The fields of KEDA 2.17 that scale a workload. No definitions of KEDA are at hand for the tests: this was written from its types, and what is
 * of no concern here is `any`.
 */
const TRIGGER: Fields = {
  type: 'text',
  name: 'text',
  useCachedMetrics: 'flag',
  metadata: 'text map',
  authenticationRef: { fields: { name: 'text', kind: 'text' }, needs: ['name'] },
  metricType: { oneOf: ['AverageValue', 'Value', 'Utilization'] },
};

const SCALED_OBJECT: Fields = {
  scaleTargetRef: {
    fields: { name: 'text', apiVersion: 'text', kind: 'text', envSourceContainerName: 'text' },
    needs: ['name'],
  },
  pollingInterval: 'whole',
  initialCooldownPeriod: 'whole',
  cooldownPeriod: 'whole',
  idleReplicaCount: 'whole',
  minReplicaCount: 'whole',
  maxReplicaCount: 'whole',
  advanced: {
    fields: {
      horizontalPodAutoscalerConfig: { fields: { behavior: 'any', name: 'text' } },
      restoreToOriginalReplicaCount: 'flag',
      scalingModifiers: 'any',
    },
  },
  triggers: { each: { fields: TRIGGER, needs: ['type', 'metadata'] } },
  fallback: {
    fields: {
      failureThreshold: 'whole',
      replicas: 'whole',
      behavior: { oneOf: ['static', 'currentReplicas', 'currentReplicasIfHigher', 'currentReplicasIfLower'] },
    },
    needs: ['failureThreshold', 'replicas'],
  },
};

const TRIGGER_AUTHENTICATION: Fields = {
  secretTargetRef: {
    each: {
      fields: { parameter: 'text', name: 'text', key: 'text' },
      needs: ['parameter', 'name', 'key'],
    },
  },
  env: {
    each: {
      fields: { parameter: 'text', name: 'text', containerName: 'text' },
      needs: ['parameter', 'name'],
    },
  },
  podIdentity: 'any',
  configMapTargetRef: 'any',
  hashiCorpVault: 'any',
  azureKeyVault: 'any',
  gcpSecretManager: 'any',
  awsSecretManager: 'any',
  boundServiceAccountToken: 'any',
  filePath: 'any',
};

/** By apiVersion and kind. */
export const KEDA_KINDS = {
  'keda.sh/v1alpha1 ScaledObject': { fields: SCALED_OBJECT, needs: ['scaleTargetRef', 'triggers'] },
  'keda.sh/v1alpha1 TriggerAuthentication': { fields: TRIGGER_AUTHENTICATION, needs: [] },
};
