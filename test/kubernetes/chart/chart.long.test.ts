/** The chart, rendered by Go's own templates: it makes what `eventcore init --kubernetes` makes, of fields that Kubernetes knows. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { makeManifests } from '../../../scripts/manifests/files.ts';
import { recoveryManifests } from '../../../src/kubernetes/render/recovery.ts';
import { judgeTypes } from '../kubernetes-types.ts';
import { SAMPLE } from '../render/sample.ts';

const ROOT = join(import.meta.dirname, '../../..');
const CHART = join(ROOT, 'deploy/helm/eventcore-backup');
/** Where Debian puts the sources of Go's libraries. */
const GOPATH = '/usr/share/gocode';
const hasGo = existsSync('/usr/bin/go') && existsSync(`${GOPATH}/src/github.com/Masterminds/sprig`);
const skip = hasGo ? false : 'needs golang-go, golang-github-masterminds-sprig-dev, golang-k8s-sigs-yaml-dev';

interface ApiObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

const TARGETS = [
  ['fence', 'db', 'cluster', 'events'],
  ['fence', 'db', 'cluster', 'orders'],
  ['scale', 'eventcore', 'deployment', 'pooler'],
  ['fence', 'db', 'statefulset', 'old'],
  ['fence', 'eventcore', 'deployment', 'pooler'],
] as const;
const CONFIG = readFileSync(join(ROOT, 'deploy/kubernetes/eventcore.config.yaml'), 'utf8');

describe('the chart, rendered', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'eventcore-chart-'));
  before(() => {
    const env = { ...process.env, GO111MODULE: 'off', GOPATH, GOFLAGS: '', GOCACHE: join(folder, 'cache') };
    const words = ['build', '-o', join(folder, 'render'), join(import.meta.dirname, 'render.go')];
    const { status, stderr } = spawnSync('go', words, { env, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function run(values: object) {
    return spawnSync(join(folder, 'render'), [CHART, 'eventcore-backup', 'eventcore'], {
      ...{ input: stringify(values), encoding: 'utf8' },
    });
  }

  function render(values: object): ApiObject[] {
    const { status, stdout, stderr } = run(values);
    assert.equal(status, 0, stderr);
    // Helm passes over empty documents too.
    const documents = parseAllDocuments(stdout).map((document) => document.toJS() as ApiObject | null);
    return documents.filter((document) => document !== null);
  }

  /** Without what a chart says of itself. */
  function plain(objects: readonly ApiObject[]): Record<string, unknown> {
    return Object.fromEntries(
      objects.map((object) => {
        const copy = JSON.parse(
          JSON.stringify(object).replaceAll('"imagePullPolicy":"IfNotPresent",', ''),
        ) as ApiObject;
        const { labels, ...metadata } = copy.metadata;
        const own = Object.entries(labels).filter(([key]) => !/managed-by|version|helm\.sh/.test(key));
        return [
          `${object.kind} ${object.metadata.name} ${object.metadata.namespace ?? ''}`.trim(),
          { ...copy, metadata: { ...metadata, labels: Object.fromEntries(own) } },
        ];
      }),
    );
  }

  async function made(...paths: readonly string[]): Promise<ApiObject[]> {
    const manifests = await makeManifests();
    return paths.flatMap((path) =>
      parseAllDocuments(manifests.get(`deploy/kubernetes/${path}`)!).map(
        (document) => document.toJS() as ApiObject,
      ),
    );
  }

  it('is the daemon of the renderer', async () => {
    const chart = plain(render({ config: CONFIG }));
    const renderer = plain(
      await made('base/config-map.yaml', 'base/service-account.yaml', 'overlays/daemon/daemon.yaml'),
    );
    for (const [name, object] of Object.entries(renderer)) assert.deepEqual(chart[name], object, name);
    assert.deepEqual(
      Object.keys(chart).filter((name) => !Object.hasOwn(renderer, name)),
      ['NetworkPolicy eventcore-backup eventcore'],
    );
  });

  it('is the jobs and the alerts of the renderer', async () => {
    const resources = { requests: { cpu: '250m', memory: '256Mi' }, limits: { memory: '1Gi' } };
    const chart = plain(
      render({ config: CONFIG, mode: 'cron-jobs', resources, prometheus: { enabled: true } }),
    );
    const renderer = plain(
      await made('overlays/cron-jobs/cron-jobs.yaml', 'overlays/prometheus-operator/prometheus.yaml'),
    );
    const backup = 'CronJob eventcore-backup-incremental eventcore';
    assert.deepEqual(chart[backup], renderer[backup]);
    const archive = 'Deployment eventcore-backup-archive eventcore';
    assert.deepEqual(chart[archive], renderer[archive]);
    for (const kind of ['PodMonitor', 'PrometheusRule'])
      assert.deepEqual(
        chart[`${kind} eventcore-backup eventcore`],
        renderer[`${kind} eventcore-backup eventcore`],
        kind,
      );
  });

  it('gives recoveries the rights that the renderer gives, each namespace its own', async () => {
    const targets = TARGETS.map(([purpose, namespace, kind, name]) => ({ purpose, namespace, kind, name }));
    const chart = plain(render({ config: CONFIG, recovery: { targets } }));
    const wanted = { ...SAMPLE, name: 'eventcore-backup', namespace: 'eventcore', targets };
    const renderer = plain(recoveryManifests(wanted) as unknown as ApiObject[]);
    assert.equal(
      Object.keys(renderer).length,
      11,
      'an account, two roles and bindings in each of two places, nodes',
    );
    for (const [name, object] of Object.entries(renderer)) assert.deepEqual(chart[name], object, name);
    const rights = Object.keys(chart).filter((name) => /Role|Account/.test(name));
    assert.deepEqual(
      rights.sort(),
      [...Object.keys(renderer), 'ServiceAccount eventcore-backup eventcore'].sort(),
    );
    const { spec } = chart['Deployment eventcore-backup eventcore'] as unknown as {
      spec: { template: { spec: { automountServiceAccountToken: boolean } } };
    };
    assert.equal(spec.template.spec.automountServiceAccountToken, true);
    assert.match(JSON.stringify(chart['NetworkPolicy eventcore-backup eventcore']), /"port":6443/);
    const noCluster = plain(render({ config: CONFIG, recovery: { targets: targets.slice(2) } }));
    assert.ok(Object.keys(noCluster).every((name) => !name.startsWith('ClusterRole')));
  });

  it('is the workers of the renderer, their scaler, and the daemon that gives them work', async () => {
    const { env } = (
      parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as { workers: { env: object[] } }
    ).workers;
    const place = 'deploy/kubernetes/overlays/workers/eventcore.config.yaml';
    const values = {
      ...{ config: readFileSync(join(ROOT, place), 'utf8'), env },
      files: { items: [{ key: 'queue.key', path: 'queue.key' }] },
      workers: { enabled: true, keda: { enabled: true, host: 'eventcore-postgres-rw.eventcore.svc' } },
    };
    const chart = plain(render(values));
    const renderer = plain(
      await made(
        ...['base/network-policy.yaml', 'overlays/workers/config-map.yaml', 'overlays/workers/daemon.yaml'],
        ...['overlays/workers/workers.yaml', 'overlays/workers-keda/scaling.yaml'],
      ),
    );
    assert.deepEqual(
      Object.keys(chart).sort(),
      [...Object.keys(renderer), 'ServiceAccount eventcore-backup eventcore'].sort(),
    );
    for (const [name, object] of Object.entries(renderer)) {
      // Whom they reach, the chart is told; who they are is the same.
      const [one, other] = [chart[name], object].map((policy) =>
        name.startsWith('NetworkPolicy') ? { ...(policy as { spec: object }).spec, egress: [] } : policy,
      );
      assert.deepEqual(one, other, name);
    }
    const { status, stderr } = run({ ...values, workers: { enabled: true, keda: { enabled: true } } });
    assert.equal(status, 1);
    assert.match(stderr, /set `workers\.keda\.host`/);
  });

  it('has no field that Kubernetes does not know, whatever is set', async () => {
    const config = parse(CONFIG) as object;
    const everything = {
      ...{
        config,
        tls: true,
        podAnnotations: { a: 'b' },
        nodeSelector: { disk: 'ssd' },
        imagePullSecrets: [{ name: 'pull' }],
      },
      files: { items: [{ key: 'sign.pem', path: 'sign.pem' }] },
      volumes: [{ path: '/backups', claim: 'backups' }],
      tolerations: [{ key: 'backup', operator: 'Exists' }],
      serviceAccount: { annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/backup' } },
      affinity: { nodeAffinity: {} },
      prometheus: { enabled: true },
      workers: { enabled: true, keda: { enabled: true, host: 'db.shop.svc' } },
      recovery: {
        targets: TARGETS.map(([purpose, namespace, kind, name]) => ({ purpose, namespace, kind, name })),
      },
    };
    const objects = [...render(everything), ...render({ ...everything, mode: 'cron-jobs' })];
    assert.ok(objects.length > 15, `${objects.length}`);
    assert.equal(await judgeTypes(objects.map((value) => ({ from: 'chart', value }))), '');
  });

  it('is refused without a configuration', () => {
    const { status, stderr } = run({});
    assert.equal(status, 1);
    assert.match(stderr, /set `config` to what is in eventcore\.config\.yaml/);
  });
});
