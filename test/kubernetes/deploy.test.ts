import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { readManifests } from '../../src/kubernetes/check/manifest.ts';
import { compileSchemas, withoutCrds } from '../harness/crds.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** All YAML under deploy/, but templates of Helm, which are none before they are rendered. */
function deployed(): string[] {
  const files = readdirSync(join(ROOT, 'deploy'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => /\.ya?ml$/.test(file) && !file.startsWith('helm/') && !file.startsWith('prometheus/'))
    .map((file) => join('deploy', file))
    .sort();
}

const FILES = deployed();

test('there are manifests to judge', () => {
  assert.ok(FILES.includes('deploy/cloudnative-pg/cluster.yaml'), FILES.join(', '));
});

test('every manifest is valid by the definitions of CloudNativePG, unknown fields refused', {
  skip: withoutCrds(),
}, () => {
  const validators = compileSchemas();
  const seen = new Set<string>();
  for (const file of FILES) {
    const { manifests } = readManifests(readFileSync(join(ROOT, file), 'utf8'), relative('deploy', file));
    for (const { apiVersion, kind, value } of manifests) {
      const validate = validators.get(`${apiVersion} ${kind}`);
      if (validate === undefined) continue;
      seen.add(kind);
      const isValid = validate(value);
      assert.ok(isValid, `${file}: ${kind}: ${JSON.stringify(validate.errors, null, 1)}`);
    }
  }
  assert.deepEqual([...seen].sort(), ['Cluster', 'ObjectStore', 'ScheduledBackup']);
});
