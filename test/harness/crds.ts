import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

/** The definitions that CloudNativePG 1.30 and its plugin for Barman Cloud 0.14 ship. They are not part of this repository. */

const FILES = ['clusters', 'backups', 'scheduledbackups', 'objectstores'] as const;

/** Where they are: beside the checkout, or where EVENTCORE_CNPG_CRDS says; null where they are not. */
export function crdFolder(): string | null {
  const folder =
    process.env.EVENTCORE_CNPG_CRDS ??
    resolve(import.meta.dirname, '..', '..', '..', 'shared', 'cnpg', 'crd');
  return FILES.every((name) => existsSync(join(folder, `${name}.yaml`))) ? folder : null;
}

/** Why tests that need them are left out; false where they are there. */
export function withoutCrds(): string | false {
  return crdFolder() === null
    ? 'no definitions of CloudNativePG beside the checkout: set EVENTCORE_CNPG_CRDS to a folder with them'
    : false;
}

/** A structural schema of Kubernetes, as much of it as is used here. */
export interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
}

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

/** By apiVersion and kind, as `postgresql.cnpg.io/v1 Cluster`. */
export function readSchemas(): ReadonlyMap<string, Schema> {
  const folder = crdFolder()!;
  const schemas = new Map<string, Schema>();
  for (const name of FILES) {
    const { spec } = parse(readFileSync(join(folder, `${name}.yaml`), 'utf8')) as Definition;
    for (const version of spec.versions) {
      schemas.set(`${spec.group}/${version.name} ${spec.names.kind}`, version.schema.openAPIV3Schema);
    }
  }
  return schemas;
}

/** What says whether a manifest is valid, unknown fields refused, as by `kubectl apply --validate=strict`. */
export function compileSchemas(schemas: ReadonlyMap<string, Schema>): ReadonlyMap<string, ValidateFunction> {
  const ajv = new Ajv({ allErrors: true, strict: false });
  addFormats.default(ajv);
  return new Map([...schemas].map(([key, schema]) => [key, ajv.compile(closedRoot(schema))]));
}

function closedRoot(schema: Schema): Schema {
  const { properties, ...rest } = schema;
  return { ...closed({ ...rest, properties: { ...properties, metadata: { type: 'object' } } }) };
}

function closed(schema: Schema): Schema {
  const { properties, items, additionalProperties } = schema;
  const isOpen =
    schema['x-kubernetes-preserve-unknown-fields'] === true || additionalProperties !== undefined;
  return {
    ...schema,
    ...(properties === undefined ? {} : { properties: mapValues(properties, closed) }),
    ...(properties === undefined || isOpen ? {} : { additionalProperties: false }),
    ...(items === undefined ? {} : { items: closed(items) }),
    ...(typeof additionalProperties === 'object'
      ? { additionalProperties: closed(additionalProperties) }
      : {}),
  };
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
