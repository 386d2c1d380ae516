import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { ALERTS_FILE, renderOf } from '../../src/cli/kubernetes/init.ts';
import { readWanted } from '../../src/cli/kubernetes/wanted.ts';
import { kustomization, toYaml } from '../../src/kubernetes/render/files.ts';
import { rolesFile } from './roles.ts';

/**
 * What `deploy/kubernetes` and the chart have of what `eventcore init --kubernetes` makes, and what `deploy/cloudnative-pg` has of `deploy/postgres`: their
 * paths, and what is in them.
 */

const ROOT = join(import.meta.dirname, '../..');
const PLACE = 'deploy/kubernetes';
const CLUSTERS = 'deploy/cloudnative-pg';
const CHART = 'deploy/helm/eventcore-backup';

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

function read(config: string, flags: { readonly cronJobs?: true; readonly keda?: true } = {}) {
  const context = {
    flags: { config: join(ROOT, config), progress: false, logLevel: 'warn' },
    ...{ env: {}, cwd: ROOT, software: `eventcore-backup ${version}` },
  } as const;
  const options = {
    namespace: 'eventcore',
    prometheusOperator: true,
    // Of the login of a daemon in deploy/cloudnative-pg.
    passwordFrom: { secret: 'eventcore-serve-login', key: 'password' },
    ...flags,
  } as const;
  return readWanted(context, options).then((made) => renderOf(made, options));
}

/** By their paths from the root of the project. */
export async function makeManifests(): Promise<Map<string, string>> {
  const daemon = await read(`${PLACE}/eventcore.config.yaml`);
  const jobs = await read(`${PLACE}/eventcore.config.yaml`, { cronJobs: true });
  const west = await read(`${PLACE}/overlays/two-regions/west/eventcore.config.yaml`);
  const shared = await read(`${PLACE}/overlays/workers/eventcore.config.yaml`, { keda: true });
  const made = new Map<string, string>();
  const put = (
    folder: string,
    names: readonly string[],
    from: typeof daemon,
    above: readonly string[] = [],
  ) => {
    const files = from.filter(({ name }) => names.includes(name));
    for (const { name, text } of files) made.set(`${folder}/${name}`, text);
    const resources = [...above.map((name) => ({ name, isApplied: true })), ...files];
    made.set(`${folder}/kustomization.yaml`, kustomization(resources));
  };
  const base = ['config-map.yaml', 'service-account.yaml', 'network-policy.yaml'];
  put(`${PLACE}/base`, [...base, 'secrets.example.yaml', 'restore-job.example.yaml'], daemon);
  put(`${PLACE}/overlays/daemon`, ['daemon.yaml'], daemon, ['../../base']);
  put(`${PLACE}/overlays/cron-jobs`, ['cron-jobs.yaml'], jobs, ['../../base']);
  put(`${PLACE}/overlays/prometheus-operator`, ['prometheus.yaml'], daemon, ['../daemon']);
  put(`${PLACE}/overlays/two-regions/east`, [], daemon, ['../../daemon']);
  for (const [path, text] of westFiles(west)) made.set(path, text);
  for (const [path, text] of workerFiles(shared)) made.set(path, text);
  put(`${PLACE}/overlays/workers-keda`, ['scaling.yaml'], shared, ['../workers']);
  for (const [path, text] of rolesFiles()) made.set(path, text);
  made.set(`${CHART}/files/alerts.yaml`, readFileSync(ALERTS_FILE, 'utf8'));
  return made;
}

type Rendered = Awaited<ReturnType<typeof read>>;

/** As the east, with a configuration of its own. */
function westFiles(west: Rendered): [path: string, text: string][] {
  return overlay(west, 'two-regions/west', {
    above: '../../daemon',
    own: [],
    patches: ['config-map.yaml'],
    examples: [],
  });
}

/** The daemon has the queue's key and password too. The base's network policy lets the queue through, which is where the store is. */
function workerFiles(shared: Rendered): [path: string, text: string][] {
  return overlay(shared, 'workers', {
    ...{ above: '../../base', own: ['daemon.yaml', 'workers.yaml'] },
    ...{ patches: ['config-map.yaml'], examples: ['secrets.example.yaml'] },
  });
}

interface Overlay {
  readonly above: string;
  readonly own: readonly string[];
  /** What stands above under the same names. */
  readonly patches: readonly string[];
  readonly examples: readonly string[];
}

function overlay(
  files: Rendered,
  place: string,
  { above, own, patches, examples }: Overlay,
): [string, string][] {
  const folder = `${PLACE}/overlays/${place}`;
  const head = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization' };
  const body = toYaml({ ...head, resources: [above, ...own], patches: patches.map((path) => ({ path })) });
  return [
    ...[...own, ...patches, ...examples].map((name): [string, string] => [
      `${folder}/${name}`,
      files.find((file) => file.name === name)!.text,
    ]),
    [`${folder}/kustomization.yaml`, body],
  ];
}

/** Beside each Cluster that is bootstrapped anew: who follows it, or is restored, has its grants with its tables. */
function rolesFiles(): [path: string, text: string][] {
  return [
    ['cluster.yaml', 'roles.yaml'],
    ['two-regions/us-east-1.yaml', 'two-regions/roles.yaml'],
  ].map(([source, path]) => [`${CLUSTERS}/${path}`, rolesFile(placeOf(`${CLUSTERS}/${source}`))]);
}

function placeOf(path: string) {
  const [document] = parseAllDocuments(readFileSync(join(ROOT, path), 'utf8'));
  const { metadata, spec } = document!.toJS() as {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly imageName: string };
  };
  return { cluster: metadata.name, image: spec.imageName };
}
