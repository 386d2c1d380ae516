/** The chart, as far as it can be held without Helm: what its templates ask for is there, and what it takes is said in its schema. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Ajv } from 'ajv';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../../..');
const CHART = join(ROOT, 'deploy/helm/eventcore-backup');
const read = (path: string): string => readFileSync(join(CHART, path), 'utf8');
const templates = new Map(globSync('templates/*', { cwd: CHART }).map((path) => [path, read(path)]));
const values = parse(read('values.yaml')) as Record<string, unknown>;
const schema = JSON.parse(read('values.schema.json')) as Schema;
const isValid = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
}

/** What stands between braces, without comments. */
function actionsOf(text: string): string[] {
  return [...text.matchAll(/\{\{-?\s*(?!\/\*)([\s\S]*?)\s*-?\}\}/g)].map(([, action]) => action!);
}

describe('the chart', () => {
  it('is of the version of the package', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    const chart = parse(read('Chart.yaml')) as { version: string; appVersion: string };
    assert.deepEqual([chart.version, chart.appVersion], [version, version]);
  });

  it('has templates whose blocks and braces are closed, and that include what is defined', () => {
    const actions = [...templates.values()].flatMap(actionsOf);
    const defined = actions.flatMap((action) => /^define "([^"]+)"/.exec(action)?.[1] ?? []);
    assert.ok(defined.length >= 4);
    for (const action of actions)
      for (const [, name] of action.matchAll(/include "([^"]+)"/g)) assert.ok(defined.includes(name!), name);
    for (const [path, text] of templates) {
      let depth = 0;
      for (const action of actionsOf(text)) {
        if (/^(if|range|with|define)\b/.test(action)) depth += 1;
        if (/^end$/.test(action)) depth -= 1;
        assert.ok(depth >= 0, `${path}: an end of nothing`);
      }
      assert.equal(depth, 0, `${path}: a block is not closed`);
      assert.equal(text.split('{{').length, text.split('}}').length, `${path}: a brace is not closed`);
    }
  });

  it('asks for no value that values.yaml and the schema do not have, and leaves none of them unused', () => {
    const asked = new Set(
      [...templates.values()].flatMap((text) =>
        [...text.matchAll(/\.Values\.([A-Za-z.]+)/g)].map(([, path]) => path!),
      ),
    );
    for (const path of asked) {
      let inner: unknown = values;
      let known: Schema | undefined = schema;
      for (const key of path.split('.')) {
        assert.ok(Object.hasOwn(inner as object, key), `values.yaml has no ${path}`);
        inner = (inner as Record<string, unknown>)[key];
        known = known?.properties?.[key];
        assert.ok(known !== undefined, `the schema has no ${path}`);
      }
    }
    for (const key of Object.keys(values))
      assert.ok(
        [...asked].some((path) => path.split('.')[0] === key),
        key,
      );
    const others = Object.keys(schema.properties!).filter((key) => !Object.hasOwn(values, key));
    assert.deepEqual(others, ['global'], 'Helm gives that to every chart');
  });

  it('takes its own values, and refuses what it would not use', () => {
    assert.ok(isValid(values), JSON.stringify(isValid.errors));
    assert.ok(isValid({ ...values, config: 'store: x\n' }));
    for (const wrong of [
      { replicaCount: 3 },
      { mode: 'cronjobs' },
      { image: { repo: 'x' } },
      { volumes: [{ path: 'backups', claim: 'x' }] },
      { jobs: [{ name: 'full', args: ['backup', 'full'], schedule: '0 0 2 * * *' }] },
      { env: [{ name: 'PG PASSWORD' }] },
      { recovery: { targets: [{ purpose: 'fence', namespace: 'db', kind: 'pod', name: 'events' }] } },
      { recovery: { targets: [{ purpose: 'fence', kind: 'cluster', name: 'events' }] } },
      { workers: { keda: { minReplicaCount: 0 } } },
      { workers: { replicas: 3 } },
    ])
      assert.ok(!isValid({ ...values, ...wrong }), JSON.stringify(wrong));
  });
});
