import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Field, type Fields, KNOWN_KINDS } from '../../src/kubernetes/check/fields.ts';
import { type Manifest, readManifests } from '../../src/kubernetes/check/manifest.ts';
import { compileSchemas, readSchemas, type Schema, withoutCrds } from '../harness/crds.ts';
import { judge } from './check/judge.ts';
import { SPECIFIED } from './check/specified.ts';
import { deployedFiles, ROOT } from './deployed.ts';

/** Nobody has definitions of KEDA here. */
const OWN_KINDS = Object.keys(KNOWN_KINDS).filter((kind) => !kind.startsWith('keda.sh/'));

/** Against what CloudNativePG itself ships, in one file, since its definitions take a second to read. */
describe('by the definitions of CloudNativePG, unknown fields refused,', { skip: withoutCrds() }, () => {
  const schemas = withoutCrds() === false ? readSchemas() : new Map<string, Schema>();
  const validators = compileSchemas(schemas);

  /** Fields that are unknown, and other faults as they are told; null where nothing is known of the kind. */
  function faultsOf({ apiVersion, kind, value }: Manifest): string[] | null {
    const validate = validators.get(`${apiVersion} ${kind}`);
    if (validate === undefined) return null;
    validate(value);
    return (validate.errors ?? []).map(({ instancePath, message, params }) =>
      'additionalProperty' in params
        ? `${instancePath}/${params.additionalProperty}`
        : `${instancePath} ${message}`,
    );
  }

  it('every manifest under deploy/ is valid', () => {
    const seen = new Set<string>();
    for (const file of deployedFiles()) {
      for (const manifest of readManifests(readFileSync(join(ROOT, file), 'utf8'), file).manifests) {
        const faults = faultsOf(manifest);
        if (faults === null) continue;
        seen.add(manifest.kind);
        assert.deepEqual(faults, [], `${file}: ${manifest.kind} ${manifest.name}`);
      }
    }
    assert.deepEqual([...seen].sort(), ['Cluster', 'ObjectStore', 'ScheduledBackup']);
  });

  it('the manifests of the specification are refused for those fields that the rules name', () => {
    const [cluster] = readManifests(SPECIFIED, 'specified.yaml').manifests;
    const told = judge({ 'specified.yaml': SPECIFIED }).filter(({ rule }) => rule === 'field_unknown');
    assert.deepEqual(
      faultsOf(cluster!)!.sort(),
      told.map(({ path }) => `/${path.replaceAll('.', '/')}`).sort(),
    );
  });

  for (const kind of OWN_KINDS) {
    const { fields, needs } = KNOWN_KINDS[kind]!;
    it(`the table of fields has all that ${kind} has, and nothing else`, () => {
      const spec = schemas.get(kind)!.properties!.spec!;
      assert.deepEqual(differences(fields, needs, spec, 'spec'), []);
    });
  }

  it('the table of fields has every kind that is defined', () => {
    assert.deepEqual([...OWN_KINDS].sort(), [...schemas.keys()].sort());
  });
});

function differences(fields: Fields, needs: readonly string[], schema: Schema, at: string): string[] {
  const { properties = {}, required = [] } = schema;
  return [
    ...Object.keys(properties).flatMap((key) =>
      Object.hasOwn(fields, key) ? [] : [`${at}.${key} is not in the table`],
    ),
    ...Object.keys(fields).flatMap((key) =>
      Object.hasOwn(properties, key) ? [] : [`${at}.${key} is not defined`],
    ),
    ...([...needs].sort().join() === [...required].sort().join() ? [] : [`${at} needs ${required.join()}`]),
    ...Object.entries(fields).flatMap(([key, field]) => {
      const inner = properties[key];
      return inner === undefined ? [] : unlike(field, inner, `${at}.${key}`);
    }),
  ];
}

/** How a field of the table differs from its definition. */
function unlike(field: Field, schema: Schema, at: string): string[] {
  if (field === 'any') return [];
  const found = shapeOf(schema);
  const said =
    typeof field === 'string' ? field : 'oneOf' in field ? `one of ${[...field.oneOf].sort().join()}` : null;
  if (said !== null) return said === found ? [] : [`${at} is ${said}, and ${found} by its definition`];
  if (typeof field === 'string' || 'oneOf' in field) return [];
  if ('atLeast' in field)
    return schema.minimum === field.atLeast ? [] : [`${at} is at least ${schema.minimum}`];
  if ('fields' in field) return differences(field.fields, field.needs ?? [], schema, at);
  return schema.items === undefined ? [`${at} is no list`] : unlike(field.each, schema.items, `${at}[]`);
}

function shapeOf({ type, enum: words, items, additionalProperties, minimum }: Schema): string {
  if (words !== undefined) return `one of ${[...words].sort().join()}`;
  if (type === 'string') return 'text';
  if (type === 'boolean') return 'flag';
  if (type === 'integer') return minimum === undefined ? 'whole' : `at least ${minimum}`;
  if (type === 'array') return items?.type === 'string' ? 'texts' : 'a list';
  const values = typeof additionalProperties === 'object' ? additionalProperties.type : undefined;
  return values === 'string' ? 'text map' : 'fields';
}
