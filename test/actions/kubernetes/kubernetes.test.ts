/** Against a stand-in (test/harness/kubernetes-api.ts): there is no API server to be had here. What its rules are is written there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { type KubernetesFenceOptions, kubernetesFence } from '../../../src/actions/fences/kubernetes.ts';
import { FENCED_AT, FENCED_INSTANCES, judgeFence } from '../../../src/actions/fences/kubernetes-proof.ts';
import {
  accessInPod,
  type KubernetesAccess,
  kubernetesClient,
  ruleOf,
} from '../../../src/actions/kubernetes/client.ts';
import { kubernetesScaler } from '../../../src/actions/scale/kubernetes.ts';
import { type BackupError, type ErrorCode, isBackupError } from '../../../src/core/errors.ts';
import {
  type KubeObject,
  type KubernetesApi,
  startKubernetesApi,
  whyInvalid,
} from '../../harness/kubernetes-api.ts';

const NS = 'eventcore';
const CLUSTER = `/apis/postgresql.cnpg.io/v1/namespaces/${NS}/clusters/pg`;
const STATEFUL = `/apis/apps/v1/namespaces/${NS}/statefulsets/pg`;
const POD = (name: string) => `/api/v1/namespaces/${NS}/pods/${name}`;
const NODE = (name: string) => `/api/v1/nodes/${name}`;
const call = (ms = 5000) => ({ signal: AbortSignal.timeout(ms) });

const podOf = (
  name: string,
  { ready = true, node = 'node-1' as string | null, container = 'postgres' } = {},
) => ({
  metadata: { name, labels: { 'cnpg.io/cluster': 'pg', app: 'pg' } },
  spec: { containers: [{ name: container }], ...(node === null ? {} : { nodeName: node }) },
  status: { containerStatuses: [{ name: container, ready }] },
});
const nodeOf = (name: string, status = 'True') => ({
  metadata: { name },
  status: { conditions: [{ type: 'Ready', status }] },
});
const clusterOf = (annotations: Record<string, string> = {}) => ({
  ...{ apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster', metadata: { name: 'pg', annotations } },
  ...{ spec: { instances: 2, storage: { size: '1Gi' } }, status: { readyInstances: 2, instances: 2 } },
});

describe('an API server of Kubernetes', () => {
  let api: KubernetesApi;
  before(async () => {
    api = await startKubernetesApi();
  });
  after(() => api.close());
  beforeEach(() => {
    api.objects.clear();
    api.log.length = 0;
    Object.assign(api, { rights: [], beforePatch: null, afterPatch: null });
    api.put(CLUSTER, clusterOf());
    for (const i of [1, 2]) {
      api.put(POD(`pg-${i}`), podOf(`pg-${i}`, { node: `node-${i}` }));
      api.put(NODE(`node-${i}`), nodeOf(`node-${i}`));
    }
    api.put(POD('pg-pooler'), podOf('pg-pooler', { container: 'pgbouncer' }));
  });

  const access = (given: Partial<KubernetesAccess> = {}): KubernetesAccess => ({
    ...{ server: api.endpoint, ca: async () => null, token: async () => `${api.token}\n`, namespace: NS },
    ...given,
  });
  const fence = (options: Partial<KubernetesFenceOptions> = {}) =>
    kubernetesFence({
      ...{ access: access(), target: { cluster: 'pg' }, waitMs: 300, pollMs: 10, settleMs: 0 },
      ...options,
    });
  const stopServers = () => {
    for (const i of [1, 2]) api.put(POD(`pg-${i}`), podOf(`pg-${i}`, { ready: false, node: `node-${i}` }));
  };

  it('fences a Cluster by its annotation, and waits until no instance runs a server', async () => {
    api.afterPatch = () => void setTimeout(stopServers, 50);
    assert.equal(await fence().check(call()), 'open');
    const facts = await fence().apply(call());
    assert.equal(facts.shown, 'none of 2 instances runs a server');
    const { metadata } = api.objects.get(CLUSTER)!;
    const annotations = metadata.annotations as Record<string, string>;
    assert.equal(annotations[FENCED_INSTANCES], '["*"]');
    assert.ok(Date.now() - Date.parse(annotations[FENCED_AT]!) < 5000);
    assert.equal(await fence().check(call()), 'fenced');
    await fence().apply(call());
    assert.equal(api.log.filter((line) => line.startsWith('PATCH')).length, 1);
    api.put(CLUSTER, clusterOf());
    assert.equal(await fence().check(call()), 'open');
  });

  it('does not take a fence for one while a server may run', async () => {
    await refuses(fence().apply(call()), 'fence_failed', /pg-1 is ready/);
    stopServers();
    api.put(NODE('node-2'), nodeOf('node-2', 'Unknown'));
    assert.equal(await fence().check(call()), 'unknown');
    await refuses(fence().apply(call()), 'fence_failed', /nothing is heard of the node node-2/);
    api.objects.delete(NODE('node-2'));
    assert.equal(await fence().check(call()), 'unknown');
    api.put(NODE('node-2'), nodeOf('node-2'));
    assert.equal(await fence({ settleMs: 60_000 }).check(call()), 'unknown');
    assert.equal(await fence().check(call()), 'fenced');
    await refuses(fence({ target: { cluster: 'none' } }).apply(call()), 'fence_failed', /no such Cluster/);
  });

  it('changes objects that others change too, and gives up in the end', async () => {
    let times = 3;
    api.beforePatch = (at) => {
      times -= 1;
      if (times > 0) api.put(at, { ...api.objects.get(at)!, status: { readyInstances: times } });
    };
    stopServers();
    await fence().apply(call());
    api.put(CLUSTER, clusterOf());
    times = 1000;
    await refuses(fence().apply(call()), 'fence_failed', /changes all the time/);
    assert.ok(api.log.length < 50);
  });

  it('scales a workload to zero, and waits for its pods to be gone', async () => {
    const matchLabels = { app: 'pg' };
    api.put(STATEFUL, {
      metadata: { name: 'pg' },
      spec: { replicas: 3, selector: { matchLabels } },
      status: { replicas: 3 },
    });
    const target = { workload: { kind: 'statefulset', name: 'pg' } } as const;
    assert.equal(await fence({ target }).check(call()), 'open');
    await refuses(fence({ target }).apply(call()), 'fence_failed', /3 pods are still there/);
    for (const name of ['pg-1', 'pg-2', 'pg-pooler']) api.objects.delete(POD(name));
    const facts = await fence({ target }).apply(call());
    assert.equal(facts.shown, 'it has no pods');
    assert.equal(await fence({ target }).check(call()), 'fenced');
    assert.equal((api.objects.get(STATEFUL)!.spec as { replicas: number }).replicas, 0);
  });

  it('gives a Cluster more instances, never fewer', async () => {
    const scaler = (instances: number) =>
      kubernetesScaler({ access: access(), target: { cluster: 'pg' }, instances });
    assert.equal(await scaler(3).check(call()), false);
    assert.deepEqual(await scaler(3).apply(call()), { scaler: 'kubernetes', from: 2, to: 3 });
    await scaler(3).apply(call());
    assert.equal(await scaler(3).check(call()), false);
    const object = api.objects.get(CLUSTER)!;
    api.put(CLUSTER, { ...object, status: { readyInstances: 3 } });
    assert.equal(await scaler(3).check(call()), true);
    await scaler(1).apply(call());
    assert.equal((api.objects.get(CLUSTER)!.spec as { instances: number }).instances, 3);
    assert.equal(await scaler(1).check(call()), true);
    assert.equal(api.log.filter((line) => line.startsWith('PATCH')).length, 1);
  });

  it('gives a workload more replicas', async () => {
    const deployment = `/apis/apps/v1/namespaces/${NS}/deployments/app`;
    api.put(deployment, { metadata: { name: 'app' }, spec: { replicas: 1 }, status: { readyReplicas: 1 } });
    const target = { workload: { kind: 'deployment', name: 'app' } } as const;
    const scaler = kubernetesScaler({ access: access(), target, instances: 4 });
    await scaler.apply(call());
    assert.equal(await scaler.check(call()), false);
    api.put(deployment, { ...api.objects.get(deployment)!, status: { readyReplicas: 4 } });
    assert.equal(await scaler.check(call()), true);
  });

  it('says which right is missing', async () => {
    api.rights = ['get clusters'];
    const error = await refuses(fence().apply(call()), 'fence_failed', /does not allow it \(403\)/);
    assert.match(
      error.hint!,
      /\{apiGroups: \["postgresql.cnpg.io"\], resources: \["clusters"\], verbs: \["patch"\]\}/,
    );
    api.rights.push('patch clusters', 'list pods');
    const node = await refuses(fence().apply(call()), 'fence_failed', /403/);
    assert.match(node.hint!, /resources: \["nodes"\], verbs: \["get"\]\} \(in a ClusterRole\)/);
    assert.equal(
      ruleOf({ method: 'PATCH', path: `${STATEFUL}/scale` }),
      '{apiGroups: ["apps"], resources: ["statefulsets/scale"], verbs: ["patch"]}',
    );
    const wrong = kubernetesScaler({
      access: access({ token: async () => 'c4n4ry' }),
      target: { cluster: 'pg' },
      instances: 3,
    });
    const unknown = await refuses(wrong.check(call()), 'action_failed', /token/);
    assert.ok(!`${unknown.message}${unknown.hint}`.includes('c4n4ry'));
  });

  it('is not waited for longer than may be, nor taken for one where it is none', async () => {
    const client = (given: Partial<KubernetesAccess>) => kubernetesClient(access(given), 'fence_failed');
    const gone = client({ server: 'http://127.0.0.1:1' }).get(CLUSTER, call().signal);
    await refuses(gone, 'fence_failed', /cannot be reached \(ECONNREFUSED\)/);
    const missing = client({ token: () => Promise.reject(Object.assign(new Error(), { code: 'ENOENT' })) });
    await refuses(missing.get(CLUSTER, call().signal), 'fence_failed', /cannot be read \(ENOENT\)/);
    await refuses(
      client({ token: async () => 'a\nb' }).get(CLUSTER, call().signal),
      'fence_failed',
      /token is none/,
    );
    await refuses(client({}).get(CLUSTER, AbortSignal.abort()), 'fence_failed', /in time/);
    assert.throws(
      () => accessInPod({}, NS),
      (error) => isBackupError(error, 'config_invalid'),
    );
    assert.equal(accessInPod({ KUBERNETES_SERVICE_HOST: 'fd00::1' }, NS).server, 'https://[fd00::1]:443');
  });

  it('is only trusted with its certificate', async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'eventcore-kube-'));
    context.after(() => rmSync(folder, { recursive: true, force: true }));
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    const words = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '1',
    ];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const made = spawnSync('openssl', [...words, ...subject, '-keyout', key, '-out', cert]);
    if (made.status !== 0)
      return context.skip('NOT TESTED: TLS, since there is no openssl to make a certificate');
    const text = readFileSync(cert, 'utf8');
    const secure = await startKubernetesApi({ key: readFileSync(key, 'utf8'), cert: text });
    context.after(() => secure.close());
    secure.put(CLUSTER, clusterOf());
    const trusted = kubernetesClient(
      access({ server: secure.endpoint, ca: async () => text }),
      'fence_failed',
    );
    assert.equal((await trusted.get(CLUSTER, call().signal))?.kind, 'Cluster');
    const stranger = kubernetesClient(access({ server: secure.endpoint }), 'fence_failed');
    await refuses(stranger.get(CLUSTER, call().signal), 'fence_failed', /SELF_SIGNED/);
  });

  it('is given Clusters that CloudNativePG takes', () => {
    const fenced = { ...clusterOf({ [FENCED_INSTANCES]: '["*"]', [FENCED_AT]: new Date().toISOString() }) };
    assert.equal(whyInvalid(fenced as KubeObject), null);
    const wrong = { ...fenced, spec: { ...fenced.spec, instances: 0, backups: {} } } as KubeObject;
    const reason = whyInvalid(wrong);
    // Null where the CRD is not at hand, which was said aloud.
    assert.ok(
      process.env.EVENTCORE_CNPG_CRDS === undefined
        ? reason === null
        : /instances|unknown field/.test(reason!),
    );
  });
});

describe('the proof of a fence', () => {
  it('holds only where all are named, none is ready, and all their nodes are heard of, for long enough', () => {
    const pod = fc.record({
      ready: fc.constantFrom(true, false, undefined),
      node: fc.constantFrom('heard', 'silent', 'gone', null),
    });
    const annotation = fc.constantFrom('["*"]', '["pg-1"]', '[]', 'x', '{"*":1}', undefined);
    fc.assert(
      fc.property(
        fc.array(pod, { maxLength: 3 }),
        annotation,
        fc.constantFrom(0, 10, 60),
        (pods, names, agoS) => {
          const at = new Date(1e12 - agoS * 1000).toISOString();
          const annotations = {
            ...(names === undefined ? {} : { [FENCED_INSTANCES]: names }),
            [FENCED_AT]: at,
          };
          const { state } = judgeFence({
            cluster: { metadata: { annotations } },
            pods: pods.map(({ ready, node }, i) => ({
              metadata: { name: `pg-${i}` },
              spec: { containers: [{ name: 'postgres' }], ...(node === null ? {} : { nodeName: node }) },
              status: ready === undefined ? {} : { containerStatuses: [{ name: 'postgres', ready }] },
            })),
            nodes: new Map<string, KubeObject | null>([
              ['heard', nodeOf('heard')],
              ['silent', nodeOf('silent', 'Unknown')],
              ['gone', null],
            ]),
            ...{ nowMs: 1e12, settleMs: 30_000 },
          });
          const runs = pods.some(({ ready, node }) => node !== null && (ready === true || node !== 'heard'));
          assert.equal(state === 'fenced', names === '["*"]' && !runs && agoS >= 30);
          if (names === '["*"]' && pods.some(({ ready, node }) => node !== null && ready))
            assert.equal(state, 'open');
        },
      ),
    );
  });
});

async function refuses(work: Promise<unknown>, code: ErrorCode, words = /./): Promise<BackupError> {
  const error = await work.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(isBackupError(error, code), String(error));
  assert.match(error.message, words);
  return error;
}
