import { HTTP_PORT } from './daemon.ts';
import {
  type Endpoint,
  labelsOf,
  type Manifest,
  metadataOf,
  namesOf,
  type Wanted,
  type WantedWorkers,
} from './wanted.ts';

/**
 * What may reach the pods, and whom they may reach. A policy knows addresses and not names: what is in the cluster is told by its namespace, what
 * has an address by that, and what has only a name by its port alone.
 */

const DNS = [
  { protocol: 'UDP', port: 53 },
  { protocol: 'TCP', port: 53 },
];
/** Of API servers: behind their Service, and themselves. */
const API_PORTS = [443, 6443];
const COMPONENT = 'app.kubernetes.io/component';
export const WORKER = 'worker';
const NAMESPACE = 'kubernetes.io/metadata.name';
const MONITORING = 'monitoring';

export function networkPolicy(wanted: Wanted): Manifest {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf(wanted, wanted.name),
    spec: {
      podSelector: {
        matchLabels: labelsOf(wanted),
        // These have a policy of their own, and policies add up.
        matchExpressions: [{ key: COMPONENT, operator: 'NotIn', values: [WORKER] }],
      },
      policyTypes: ['Ingress', 'Egress'],
      // Health, metrics and the console, from pods of this namespace.
      ingress: [{ from: [{ podSelector: {} }], ports: [{ protocol: 'TCP', port: HTTP_PORT }] }],
      egress: [{ ports: DNS }, ...egressRules(wanted)],
    },
  };
}

/** Nobody has to reach workers. They reach the queue, stores and vaults. */
export function workersPolicy(wanted: Wanted, { endpoints }: WantedWorkers): Manifest {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf(wanted, namesOf(wanted).worker),
    spec: {
      podSelector: { matchLabels: { ...labelsOf(wanted), [COMPONENT]: WORKER } },
      policyTypes: ['Ingress', 'Egress'],
      egress: [{ ports: DNS }, ...egressRules({ endpoints, targets: [] })],
    },
  };
}

/** Lets Prometheus in, from its own namespace. Policies add up. */
export function metricsPolicy(wanted: Wanted): Manifest {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf(wanted, namesOf(wanted).metrics),
    spec: {
      podSelector: { matchLabels: labelsOf(wanted) },
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [{ namespaceSelector: { matchLabels: { [NAMESPACE]: MONITORING } } }],
          ports: [{ protocol: 'TCP', port: HTTP_PORT }],
        },
      ],
    },
  };
}

/** One rule for each kind of peer, with all of its ports. */
function egressRules({ endpoints, targets }: Pick<Wanted, 'endpoints' | 'targets'>) {
  const rules = new Map<string, { readonly peer: object | null; readonly ports: Set<number> }>();
  const add = (peer: object | null, port: number): void => {
    const key = JSON.stringify(peer);
    const rule = rules.get(key) ?? { peer, ports: new Set() };
    rule.ports.add(port);
    rules.set(key, rule);
  };
  for (const endpoint of endpoints) add(peerOf(endpoint), endpoint.port);
  if (targets.length > 0) for (const port of API_PORTS) add(null, port);
  return [...rules.values()].map(({ peer, ports }) => ({
    ...(peer === null ? {} : { to: [peer] }),
    ports: [...ports].sort((a, b) => a - b).map((port) => ({ protocol: 'TCP', port })),
  }));
}

/** Null: anybody, since only a name is known. */
function peerOf({ host }: Endpoint): object | null {
  if (host === null) return null;
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return { ipBlock: { cidr: `${host}/32` } };
  if (host.includes(':')) return { ipBlock: { cidr: `${host}/128` } };
  if (!host.includes('.')) return { podSelector: {} };
  const [, namespace] = /^[^.]+\.([^.]+)\.svc(?:\.|$)/.exec(host) ?? [];
  return namespace === undefined ? null : { namespaceSelector: { matchLabels: { [NAMESPACE]: namespace } } };
}
