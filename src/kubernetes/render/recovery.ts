import { labelsOf, type Manifest, namesOf, type RecoveryTarget, type Wanted } from './wanted.ts';

/**
 * What a recovery may do in the cluster, by what its fences and scalers ask of the API server (docs/fencing.md). Two roles: the daemon's `doctor`
 * only looks whether a fence could be shown to hold; the account of recoveries, which nothing runs as until somebody starts a Job, changes things too.
 */
export function recoveryManifests(wanted: Wanted): Manifest[] {
  const { targets, name, namespace } = wanted;
  if (targets.length === 0) return [];
  const { look, recovery } = namesOf(wanted);
  const account = (subject: string) => ({ kind: 'ServiceAccount', name: subject, namespace });
  const both = [account(name), account(recovery)];
  const namespaces = [...new Set(targets.map((target) => target.namespace))];
  return [
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: recovery, namespace, labels: labelsOf(wanted) },
      automountServiceAccountToken: false,
    },
    ...namespaces.flatMap((place) => {
      const own = targets.filter((target) => target.namespace === place);
      return [
        ...grant(wanted, { name: look, namespace: place, rules: lookRules(own), subjects: both }),
        ...grant(wanted, {
          ...{ name: recovery, namespace: place, subjects: [account(recovery)] },
          rules: changeRules(own),
        }),
      ];
    }),
    ...nodeGrant(wanted, both),
  ];
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface Grant {
  readonly name: string;
  readonly namespace: string;
  readonly rules: readonly Rule[];
  readonly subjects: readonly object[];
}

function grant(wanted: Wanted, { name, namespace, rules, subjects }: Grant): Manifest[] {
  const metadata = { name, namespace, labels: labelsOf(wanted) };
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name };
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  return [
    { apiVersion, kind: 'Role', metadata, rules },
    { apiVersion, kind: 'RoleBinding', metadata, roleRef, subjects },
  ];
}

function lookRules(targets: readonly RecoveryTarget[]): Rule[] {
  const fenced = targets.some(({ purpose }) => purpose === 'fence');
  return [
    ...ruleFor(targets, ['get']),
    ...(fenced ? [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }] : []),
  ];
}

function changeRules(targets: readonly RecoveryTarget[]): Rule[] {
  return ruleFor(targets, ['patch']);
}

/** Of the named objects alone, and one rule for each kind of them. */
function ruleFor(targets: readonly RecoveryTarget[], verbs: readonly string[]): Rule[] {
  const names = new Map<string, Set<string>>();
  for (const target of targets) {
    const resource = resourceOf(target);
    names.set(resource, (names.get(resource) ?? new Set()).add(target.name));
  }
  return [...names].map(([resource, own]) => ({
    apiGroups: [resource === 'clusters' ? 'postgresql.cnpg.io' : 'apps'],
    ...{ resources: [resource], resourceNames: [...own], verbs: [...verbs] },
  }));
}

/** A fence scales a workload through its scale; who gives it more instances looks at the object itself. */
function resourceOf({ kind, purpose }: RecoveryTarget): string {
  return kind !== 'cluster' && purpose === 'fence' ? `${kind}s/scale` : `${kind}s`;
}

/** That a container is not ready counts only where its node is heard of. Nodes are in no namespace. */
function nodeGrant(wanted: Wanted, subjects: readonly object[]): Manifest[] {
  if (!wanted.targets.some(({ kind, purpose }) => kind === 'cluster' && purpose === 'fence')) return [];
  // Such names are shared by all namespaces.
  const name = `${wanted.namespace}-${namesOf(wanted).look}`;
  const metadata = { name, labels: labelsOf(wanted) };
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  return [
    {
      ...{ apiVersion, kind: 'ClusterRole', metadata },
      rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }],
    },
    { apiVersion, kind: 'ClusterRoleBinding', metadata, roleRef, subjects },
  ];
}
