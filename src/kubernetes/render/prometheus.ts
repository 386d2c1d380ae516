import { labelsOf, type Manifest, metadataOf, namesOf, type Wanted } from './wanted.ts';

/** For who has Prometheus's operator: what it is to ask, and when somebody is to be called. */

/** What rules for Prometheus have at their top. */
export interface AlertRules {
  readonly groups: readonly unknown[];
}

/** All pods, whether they are ready or not: a Service would leave out the one whose vault is away. */
export function podMonitor(wanted: Wanted): Manifest {
  const { metrics } = namesOf(wanted);
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PodMonitor',
    metadata: metadataOf(wanted, wanted.name),
    spec: {
      selector: { matchLabels: { ...labelsOf(wanted), 'app.kubernetes.io/component': 'daemon' } },
      podMetricsEndpoints: [
        {
          ...{ port: 'http', path: '/metrics', interval: '30s' },
          ...(wanted.isTls ? { scheme: 'https' } : {}),
          authorization: { credentials: { name: metrics, key: 'token' } },
        },
      ],
    },
  };
}

/** The rules as they are, of `deploy/prometheus/alerts.yaml`. */
export function prometheusRule(wanted: Wanted, alerts: AlertRules): Manifest {
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: metadataOf(wanted, wanted.name),
    spec: { groups: alerts.groups },
  };
}
