/** `deploy/kubernetes`: what stands there is what the renderer makes, kustomize puts it together, and Kubernetes knows every field of it. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { makeManifests } from '../../scripts/manifests/files.ts';
import { renderFiles } from '../../src/kubernetes/render/files.ts';
import { judgeTypes, type NamedManifest } from './kubernetes-types.ts';
import { SAMPLE, SAMPLE_WORKERS } from './render/sample.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const PLACE = 'deploy/kubernetes';
const OVERLAYS = [
  ...['daemon', 'cron-jobs', 'prometheus-operator', 'two-regions/east', 'two-regions/west'],
  ...['workers', 'workers-keda'],
];
const kubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

interface Kustomization {
  readonly resources: readonly string[];
  readonly patches?: readonly { readonly path: string }[];
}

const documentsOf = (text: string) =>
  parseAllDocuments(text).map((document) => document.toJS() as Record<string, unknown>);

describe('deploy/kubernetes', () => {
  it('is what the renderer makes of the sample configurations (npm run manifests)', async () => {
    const made = await makeManifests();
    for (const [path, text] of made) assert.equal(readFileSync(join(ROOT, path), 'utf8'), text, path);
    const there = globSync(`${PLACE}/{base,overlays}/**/*.yaml`, { cwd: ROOT });
    const own = there.filter((path) => !made.has(path) && !path.endsWith('.config.yaml'));
    assert.deepEqual(own, [], 'nobody makes these');
  });

  it('has in each kustomization what is there, and leaves out examples alone', () => {
    for (const path of globSync(`${PLACE}/**/kustomization.yaml`, { cwd: ROOT })) {
      const folder = join(ROOT, dirname(path));
      const { resources, patches = [] } = parse(readFileSync(join(ROOT, path), 'utf8')) as Kustomization;
      const named = [...resources, ...patches.map((patch) => patch.path)];
      for (const name of named) {
        const file = name.endsWith('.yaml') ? name : `${name}/kustomization.yaml`;
        assert.ok(globSync(normalize(join(folder, file))).length === 1, `${path}: ${name}`);
      }
      const files = globSync('*.yaml', { cwd: folder }).filter(
        (name) => !/^kustomization|\.config\.yaml$/.test(name),
      );
      for (const name of files)
        assert.equal(named.includes(name), !name.includes('.example.'), `${path}: ${name}`);
    }
  });

  it('is put together by kustomize', { skip: kubectl ? false : 'needs kubectl' }, async () => {
    for (const overlay of OVERLAYS) {
      const { stdout } = await run('kubectl', ['kustomize', join(ROOT, PLACE, 'overlays', overlay)]);
      const objects = documentsOf(stdout);
      const names = objects.map(({ kind, metadata }) => `${kind} ${(metadata as { name: string }).name}`);
      assert.equal(new Set(names).size, names.length);
      const own = overlay === 'two-regions/west' ? overlay : overlay.startsWith('workers') ? 'workers' : null;
      const config = objects.find(({ kind }) => kind === 'ConfigMap') as { data: Record<string, string> };
      const source = own === null ? 'eventcore.config.yaml' : `overlays/${own}/eventcore.config.yaml`;
      assert.deepEqual(config.data, {
        'eventcore.config.yaml': readFileSync(join(ROOT, PLACE, source), 'utf8'),
      });
    }
  });

  it('has no field that Kubernetes does not know, nor has anything that the renderer can make', async () => {
    const files = globSync([`${PLACE}/{base,overlays}/**/*.yaml`, 'deploy/cloudnative-pg/**/roles.yaml'], {
      cwd: ROOT,
    }).filter((path) => !/kustomization|\.config\.yaml$/.test(path));
    const committed = files.flatMap((from) =>
      documentsOf(readFileSync(join(ROOT, from), 'utf8')).map((value): NamedManifest => ({ from, value })),
    );
    assert.equal(await judgeTypes([...committed, ...everything()]), '');
    // Such a compiler must see what is wrong deep inside, or it is of no use here.
    const wrong = JSON.parse(
      JSON.stringify(everything()).replaceAll('"readOnlyRootFilesystem"', '"readOnlyRoot"'),
    );
    assert.match(
      await judgeTypes(wrong as NamedManifest[]),
      /'"readOnlyRoot"' does not exist in type 'SecurityContext'/,
    );
  });
});

const OPTIONS = {
  alerts: null,
  keda: true,
  hasRecovery: true,
  restoreTo: 'postgres://restore_login@db/shop',
} as const;

function everything(): NamedManifest[] {
  const wanted = {
    ...SAMPLE,
    isTls: true,
    workers: SAMPLE_WORKERS,
    volumes: [{ path: '/backups', claim: 'backups' }],
    targets: [
      { purpose: 'fence', namespace: 'db', kind: 'cluster', name: 'events' },
      { purpose: 'scale', namespace: 'db', kind: 'deployment', name: 'pool' },
    ],
  } as const;
  return (['daemon', 'cron-jobs'] as const).flatMap((variant) =>
    renderFiles(wanted, { ...OPTIONS, variant }).flatMap(({ manifests, name }) =>
      manifests.map((value) => ({ from: name, value })),
    ),
  );
}
