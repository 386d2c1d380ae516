import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { cronJobManifests } from '../../../src/kubernetes/render/cron-jobs.ts';
import { daemonManifests } from '../../../src/kubernetes/render/daemon.ts';
import { endpointsOf } from '../../../src/kubernetes/render/endpoints.ts';
import { renderFiles } from '../../../src/kubernetes/render/files.ts';
import { networkPolicy, workersPolicy } from '../../../src/kubernetes/render/network-policy.ts';
import { podMonitor } from '../../../src/kubernetes/render/prometheus.ts';
import { recoveryManifests } from '../../../src/kubernetes/render/recovery.ts';
import { scalingManifests } from '../../../src/kubernetes/render/scaling.ts';
import type { Manifest, RecoveryTarget } from '../../../src/kubernetes/render/wanted.ts';
import { workerManifests } from '../../../src/kubernetes/render/workers.ts';
import { SAMPLE, SAMPLE_WORKERS } from './sample.ts';

/** What lies at a path of keys and indexes. */
function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce(
    (inner: unknown, key) => (inner as Record<string | number, unknown> | undefined)?.[key],
    value,
  );
}

const POD = ['spec', 'template', 'spec'] as const;

function find(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter((m) => m.kind === kind && (name === undefined || m.metadata.name === name));
  assert.equal(found.length, 1, `${kind} ${name}`);
  return found[0]!;
}

describe('the daemon on Kubernetes', () => {
  const manifests = daemonManifests(SAMPLE);
  const deployment = find(manifests, 'Deployment');

  it('is two pods that stand by for each other, apart, of which a drain takes one', () => {
    assert.equal(at(deployment, 'spec', 'replicas'), 2);
    assert.equal((at(deployment, ...POD, 'topologySpreadConstraints') as unknown[]).length, 2);
    const budget = find(manifests, 'PodDisruptionBudget');
    assert.deepEqual(at(budget, 'spec', 'selector'), at(deployment, 'spec', 'selector'));
    assert.equal(at(budget, 'spec', 'maxUnavailable'), 1);
  });

  it('is one pod, replaced before the next begins, where a claim is mounted', () => {
    const [alone, ...others] = daemonManifests({
      ...SAMPLE,
      volumes: [{ path: '/backups', claim: 'shop-backups' }],
    });
    assert.equal(at(alone, 'spec', 'replicas'), 1);
    assert.deepEqual(at(alone, 'spec', 'strategy'), { type: 'Recreate' });
    assert.deepEqual(
      others.map(({ kind }) => kind),
      ['Service'],
    );
    assert.deepEqual(at(alone, ...POD, 'containers', 0, 'volumeMounts', 2), {
      name: 'volume-1',
      mountPath: '/backups',
    });
    assert.deepEqual(at(alone, ...POD, 'volumes', 2), {
      ...{ name: 'volume-1', persistentVolumeClaim: { claimName: 'shop-backups' } },
    });
  });

  it('may do nothing that it need not', () => {
    const pod = at(deployment, ...POD);
    assert.equal(at(pod, 'automountServiceAccountToken'), false);
    assert.equal(at(pod, 'enableServiceLinks'), false);
    assert.equal(at(pod, 'securityContext', 'runAsNonRoot'), true);
    assert.deepEqual(at(pod, 'securityContext', 'seccompProfile'), { type: 'RuntimeDefault' });
    assert.deepEqual(at(pod, 'containers', 0, 'securityContext'), {
      ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
      capabilities: { drop: ['ALL'] },
    });
  });

  it('finds its secret files beside its configuration, and secrets by the names of variables', () => {
    const [config] = at(deployment, ...POD, 'volumes') as unknown[];
    assert.deepEqual(at(config, 'projected', 'sources'), [
      { configMap: { name: 'shop-backup-config' } },
      { secret: { name: 'shop-backup-files', items: [{ key: 'keys-sign.pem', path: 'keys/sign.pem' }] } },
    ]);
    const variables = at(deployment, ...POD, 'containers', 0, 'env') as unknown[];
    assert.deepEqual(variables, [
      { name: 'EVENTCORE_CONFIG', value: '/etc/eventcore/shop.yaml' },
      { name: 'PGPASSWORD', valueFrom: { secretKeyRef: { name: 'shop-backup', key: 'PGPASSWORD' } } },
      {
        name: 'AWS_ACCESS_KEY_ID',
        valueFrom: { secretKeyRef: { name: 'shop-backup', key: 'AWS_ACCESS_KEY_ID', optional: true } },
      },
    ]);
  });

  it('is asked over TLS where it speaks it', () => {
    const [tls] = daemonManifests({ ...SAMPLE, isTls: true });
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
      assert.equal(at(tls, ...POD, 'containers', 0, probe, 'httpGet', 'scheme'), 'HTTPS', probe);
    assert.equal(
      at(podMonitor({ ...SAMPLE, isTls: true }), 'spec', 'podMetricsEndpoints', 0, 'scheme'),
      'https',
    );
  });
});

describe('jobs on Kubernetes', () => {
  const manifests = cronJobManifests(SAMPLE);

  it('run at their times, never two at once, and are not tried again where that is of no use', () => {
    const full = find(manifests, 'CronJob', 'shop-backup-full');
    assert.equal(at(full, 'spec', 'schedule'), '0 2 * * 0');
    assert.equal(at(full, 'spec', 'timeZone'), 'UTC');
    assert.equal(at(full, 'spec', 'suspend'), false);
    assert.equal(at(full, 'spec', 'concurrencyPolicy'), 'Forbid');
    const job = at(full, 'spec', 'jobTemplate', 'spec');
    assert.equal(at(job, 'activeDeadlineSeconds'), 43_200);
    assert.equal(at(job, 'template', 'spec', 'restartPolicy'), 'Never');
    // Another run holds the lease, the store or the vault is away: that may be over at the next try.
    const values = at(job, 'podFailurePolicy', 'rules', 1, 'onExitCodes', 'values') as number[];
    for (const code of [1, 5, 6, 7, 130]) assert.ok(!values.includes(code), `${code}`);
    for (const code of [2, 4, 8]) assert.ok(values.includes(code), `${code}`);
  });

  it('wait until somebody asks where they have no times', () => {
    assert.equal(at(find(manifests, 'CronJob', 'shop-backup-verify'), 'spec', 'suspend'), true);
  });

  it('that go on and on are a pod that is never doubled', () => {
    const archive = find(manifests, 'Deployment', 'shop-backup-archive');
    assert.equal(at(archive, 'spec', 'replicas'), 1);
    assert.deepEqual(at(archive, 'spec', 'strategy'), { type: 'Recreate' });
    assert.deepEqual(at(archive, ...POD, 'containers', 0, 'args'), ['archive']);
  });
});

describe('an address', () => {
  it('leads to hosts and ports', () => {
    for (const [text, ...expected] of [
      ['postgres://u@db/shop', 'db:5432'],
      ['postgres://u:p%40ss@a:1,b,[::2]:3/shop?x=@y', 'a:1', 'b:5432', '::2:3'],
      ['s3://bucket/prefix?region=eu', 'null:443'],
      ['glacier://bucket', 'null:443'],
      ['s3://bucket?endpoint=http://MinIO.shop.svc:9000&forcePathStyle=true', 'minio.shop.svc:9000'],
      ['arn:aws:kms:eu-central-1:1:key/2', 'null:443'],
      ['smtps://me@mail.example.com', 'mail.example.com:465'],
      ['https://alerts.example.com/a@b', 'alerts.example.com:443'],
      ['postgres://u@127.0.0.1/shop'],
      ['file:///backups'],
      ['0 2 * * *'],
    ] as const) {
      const found = endpointsOf(text!).map(({ host, port }) => `${host}:${port}`);
      assert.deepEqual(found, expected, text);
    }
  });
});

describe('the network of the pods', () => {
  const egressTo = (host: string | null, port = 5432) =>
    at(networkPolicy({ ...SAMPLE, endpoints: [{ host, port }] }), 'spec', 'egress', 1);
  const ports = [{ protocol: 'TCP', port: 5432 }];

  it('leads to what is named, as near as a policy can say it', () => {
    assert.deepEqual(egressTo('events-rw'), { to: [{ podSelector: {} }], ports });
    const inShop = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } } };
    assert.deepEqual(egressTo('events-rw.shop.svc'), { to: [inShop], ports });
    assert.deepEqual(egressTo('events-rw.shop.svc.cluster.local'), { to: [inShop], ports });
    assert.deepEqual(egressTo('10.1.2.3'), { to: [{ ipBlock: { cidr: '10.1.2.3/32' } }], ports });
    assert.deepEqual(egressTo('fd00::1'), { to: [{ ipBlock: { cidr: 'fd00::1/128' } }], ports });
    assert.deepEqual(egressTo('db.example.com'), { ports });
    assert.deepEqual(egressTo(null), { ports });
  });

  it('leads to DNS and nowhere else where nothing is named', () => {
    const policy = networkPolicy({ ...SAMPLE, endpoints: [] });
    assert.equal((at(policy, 'spec', 'egress') as unknown[]).length, 1);
    assert.deepEqual(at(policy, 'spec', 'policyTypes'), ['Ingress', 'Egress']);
  });

  it('has one rule for all ports of one peer', () => {
    const endpoints = [443, 9000, 443].map((port) => ({ host: null, port }));
    assert.deepEqual(at(networkPolicy({ ...SAMPLE, endpoints }), 'spec', 'egress', 1, 'ports'), [
      { protocol: 'TCP', port: 443 },
      { protocol: 'TCP', port: 9000 },
    ]);
  });
});

describe('the rights of a recovery', () => {
  const targets: readonly RecoveryTarget[] = [
    { purpose: 'fence', namespace: 'shop-db', kind: 'cluster', name: 'events' },
    { purpose: 'scale', namespace: 'shop-db', kind: 'cluster', name: 'events-west' },
    { purpose: 'fence', namespace: 'shop', kind: 'statefulset', name: 'old-db' },
    { purpose: 'scale', namespace: 'shop', kind: 'deployment', name: 'pool' },
  ];
  const manifests = recoveryManifests({ ...SAMPLE, targets });
  const rulesOf = (name: string, namespace: string) =>
    manifests.find(
      ({ kind, metadata }) => kind === 'Role' && metadata.name === name && metadata.namespace === namespace,
    )?.rules;

  it('are none where it asks no API server', () => {
    assert.deepEqual(recoveryManifests(SAMPLE), []);
  });

  it('change the named objects alone, and are not the daemon’s', () => {
    assert.deepEqual(rulesOf('shop-backup-recovery', 'shop-db'), [
      {
        ...{ apiGroups: ['postgresql.cnpg.io'], resources: ['clusters'] },
        ...{ resourceNames: ['events', 'events-west'], verbs: ['patch'] },
      },
    ]);
    assert.deepEqual(rulesOf('shop-backup-recovery', 'shop'), [
      { apiGroups: ['apps'], resources: ['statefulsets/scale'], resourceNames: ['old-db'], verbs: ['patch'] },
      { apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['pool'], verbs: ['patch'] },
    ]);
    const bindings = manifests.filter(({ kind }) => /Binding$/.test(kind));
    for (const { metadata, subjects } of bindings) {
      const names = (subjects as { name: string }[]).map(({ name }) => name);
      const mayChange = metadata.name === 'shop-backup-recovery';
      assert.deepEqual(names, mayChange ? ['shop-backup-recovery'] : ['shop-backup', 'shop-backup-recovery']);
    }
  });

  it('look at what shows that a fence holds', () => {
    assert.deepEqual(rulesOf('shop-backup-look', 'shop-db'), [
      {
        ...{ apiGroups: ['postgresql.cnpg.io'], resources: ['clusters'] },
        ...{ resourceNames: ['events', 'events-west'], verbs: ['get'] },
      },
      { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
    ]);
    assert.deepEqual(find(manifests, 'ClusterRole').rules, [
      { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
    ]);
    const noCluster = recoveryManifests({ ...SAMPLE, targets: targets.slice(2) });
    assert.ok(
      noCluster.every(({ kind }) => kind !== 'ClusterRole'),
      'nodes are looked at for Clusters alone',
    );
  });

  it('come with a token in the pods that use them', () => {
    assert.equal(
      at(daemonManifests({ ...SAMPLE, targets })[0], ...POD, 'automountServiceAccountToken'),
      true,
    );
  });
});

describe('workers on Kubernetes', () => {
  const [deployment, budget] = workerManifests(SAMPLE, SAMPLE_WORKERS);
  const policy = workersPolicy(SAMPLE, SAMPLE_WORKERS);
  const SELECTED = {
    'app.kubernetes.io/name': 'eventcore-backup',
    'app.kubernetes.io/instance': 'shop-backup',
    'app.kubernetes.io/component': 'worker',
  };

  it('take jobs, apart from each other, have time to end them, and are drained one after the other', () => {
    assert.deepEqual(at(deployment, ...POD, 'containers', 0, 'args'), [
      ...['worker', '--concurrency', '4', '--log-level', 'info'],
    ]);
    assert.equal(at(deployment, 'spec', 'replicas'), undefined, 'a scaler says how many');
    assert.equal((at(deployment, ...POD, 'topologySpreadConstraints') as unknown[]).length, 2);
    assert.ok((at(deployment, ...POD, 'terminationGracePeriodSeconds') as number) > 30);
    for (const [value, ...path] of [
      [deployment, 'spec', 'selector', 'matchLabels'],
      [deployment, 'spec', 'template', 'metadata', 'labels'],
      [budget, 'spec', 'selector', 'matchLabels'],
      [policy, 'spec', 'podSelector', 'matchLabels'],
    ] as const)
      assert.deepEqual(at(value, ...path), SELECTED);
  });

  it('have no token, nobody who may reach them, and reach the queue, the store and the vault', () => {
    const targets: readonly RecoveryTarget[] = [
      { purpose: 'fence', namespace: 'shop-db', kind: 'cluster', name: 'events' },
    ];
    const [own] = workerManifests({ ...SAMPLE, targets }, SAMPLE_WORKERS);
    assert.equal(at(own, ...POD, 'automountServiceAccountToken'), false);
    assert.equal(at(own, ...POD, 'serviceAccountName'), 'shop-backup');
    assert.deepEqual(at(policy, 'spec', 'policyTypes'), ['Ingress', 'Egress']);
    assert.equal(at(policy, 'spec', 'ingress'), undefined);
    assert.deepEqual((at(policy, 'spec', 'egress') as unknown[]).slice(1), [
      { to: [{ podSelector: {} }], ports: [{ protocol: 'TCP', port: 5432 }] },
      { ports: [{ protocol: 'TCP', port: 443 }] },
    ]);
    const [shared] = at(networkPolicy(SAMPLE), 'spec', 'podSelector', 'matchExpressions') as unknown[];
    assert.deepEqual(shared, {
      ...{ key: 'app.kubernetes.io/component', operator: 'NotIn', values: ['worker'] },
    });
  });

  it('have what opens jobs, and no other file or variable of the daemon', () => {
    const [config] = at(deployment, ...POD, 'volumes') as unknown[];
    assert.deepEqual(at(config, 'projected', 'sources', 1), {
      secret: { name: 'shop-backup-files', items: [{ key: 'queue.key', path: 'queue.key' }] },
    });
    const names = (at(deployment, ...POD, 'containers', 0, 'env') as { name: string }[]).map(
      ({ name }) => name,
    );
    assert.deepEqual(names, ['EVENTCORE_CONFIG', 'PGPASSWORD', 'QUEUE_PASSWORD', 'EVENTCORE_QUEUE']);
  });

  it('are as many as take all jobs at once, and never none: who has work would do it alone', () => {
    const [authentication, scaler] = scalingManifests(SAMPLE, SAMPLE_WORKERS);
    assert.equal(at(scaler, 'spec', 'scaleTargetRef', 'name'), at(deployment, 'metadata', 'name'));
    assert.equal(at(scaler, 'spec', 'minReplicaCount'), 1);
    const trigger = at(scaler, 'spec', 'triggers', 0);
    assert.equal(at(trigger, 'metadata', 'targetQueryValue'), '4');
    assert.equal(at(trigger, 'metadata', 'host'), 'events-rw.shop.svc', 'it asks from elsewhere');
    assert.equal(at(trigger, 'authenticationRef', 'name'), at(authentication, 'metadata', 'name'));
    assert.deepEqual(at(authentication, 'spec', 'secretTargetRef'), [
      { parameter: 'password', name: 'eventcore-queue-login', key: 'password' },
    ]);
  });
});

describe('the files', () => {
  const files = renderFiles(
    { ...SAMPLE, workers: SAMPLE_WORKERS },
    {
      ...{ variant: 'daemon', alerts: { groups: [] }, keda: true, hasRecovery: true },
      restoreTo: 'postgres://restore_login@events-rw:5432/shop',
    },
  );

  it('say in YAML what the manifests are, without anchors', () => {
    for (const { text, manifests, name } of files) {
      const documents = parseAllDocuments(text).map((document) => document.toJS());
      assert.deepEqual(documents, JSON.parse(JSON.stringify(manifests)), name);
      assert.doesNotMatch(text, /[&*][a-z]\d/, name);
      assert.match(text, /^# [A-Z].*\n/, name);
    }
  });

  it('hold no value of a secret, and apply none', () => {
    const secrets = files.flatMap(({ manifests, isApplied }) =>
      manifests.filter(({ kind }) => kind === 'Secret').map((manifest) => ({ manifest, isApplied })),
    );
    assert.equal(secrets.length, 3);
    for (const { manifest, isApplied } of secrets) {
      assert.ok(!isApplied);
      for (const value of Object.values(manifest.stringData as object)) assert.equal(value, '');
    }
  });
});
