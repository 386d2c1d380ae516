import { z } from 'zod';

/** The configuration's schema as data: what its pages, its man page and editors are told. */

/** As much of JSON Schema as a configuration's has. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly description?: string;
  readonly default?: unknown;
  readonly title?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
}

/** A key of the configuration, seen from the section that it is shown in. */
export interface KeyDefinition {
  /** `replicas[].storage`; `layouts.NAME.table` where people choose the name. */
  readonly path: string;
  readonly description: string;
  /** What may stand there, in words. */
  readonly type: string;
  /** What counts where it is left out; undefined: nothing, or as the description says. */
  readonly fallback: unknown;
  readonly required: boolean;
  /** Of what is described once and used in several places; null for what is not. */
  readonly shared: string | null;
}

/** What may be written into the file, before it is read into what the program works with. */
export function schemaOfConfiguration(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      // Whatever is converted when it is read has its default in the words of the file.
      const said = z.globalRegistry.get(zodSchema)?.default;
      if (said !== undefined) jsonSchema.default = said as typeof jsonSchema.default;
      if (zodSchema instanceof z.ZodPreprocess) allowShortForm(jsonSchema);
    },
  }) as JsonSchema;
}

/** What is prepared before it is checked may be a text, too: `5%` for 5, an address for an entry that has one. */
function allowShortForm(schema: z.core.JSONSchema.BaseSchema): void {
  const { id: _, title, description, default: said, ...full } = schema;
  if (full.anyOf?.some((one) => typeof one === 'object' && one.type === 'string' && !('const' in one)))
    return;
  for (const key of Object.keys(full)) delete schema[key];
  schema.anyOf = [full, { type: 'string' }];
}

/** The keys at the top, each with those below it that are not described elsewhere. */
export function sectionsOf(
  root: JsonSchema,
): { readonly key: KeyDefinition; readonly below: KeyDefinition[] }[] {
  return propertiesOf(root).map(([name, schema]) => ({
    key: keyOf(root, name, schema, false),
    below: keysBelow(root, schema, name),
  }));
}

/** What is described once and used in several places, by its name. */
export function sharedOf(
  root: JsonSchema,
): { readonly name: string; readonly description: string; readonly below: KeyDefinition[] }[] {
  return Object.entries(root.$defs ?? {}).map(([name, schema]) => ({
    ...{ name, description: schema.description ?? '' },
    below: keysBelow(root, schema, name),
  }));
}

function keysBelow(root: JsonSchema, schema: JsonSchema, above: string): KeyDefinition[] {
  const within = branchesOf(schema);
  return within.flatMap((branch) => {
    if (branch.$ref !== undefined) return [];
    if (branch.items !== undefined) return keysBelow(root, branch.items, `${above}[]`);
    const named = typeof branch.additionalProperties === 'object' ? branch.additionalProperties : undefined;
    if (named !== undefined) return keysBelow(root, named, `${above}.NAME`);
    return propertiesOf(branch).flatMap(([name, below]) => {
      const path = above === '' ? name : `${above}.${name}`;
      return [
        keyOf(root, path, below, branch.required?.includes(name) === true),
        ...keysBelow(root, below, path),
      ];
    });
  });
}

function keyOf(root: JsonSchema, path: string, schema: JsonSchema, required: boolean): KeyDefinition {
  const shared = sharedName(schema);
  const described = schema.description ?? (shared === null ? '' : root.$defs?.[shared]?.description);
  const type = typeText(root, schema);
  return { path, description: described ?? '', type, fallback: schema.default, required, shared };
}

function sharedName(schema: JsonSchema): string | null {
  const ref = [schema, ...branchesOf(schema)].find((branch) => branch.$ref !== undefined)?.$ref;
  return ref?.replace('#/$defs/', '') ?? null;
}

function propertiesOf({ properties = {} }: JsonSchema): [string, JsonSchema][] {
  return Object.entries(properties);
}

/** The ways in which it may be written; nothing at all is none of them. */
function branchesOf(schema: JsonSchema): JsonSchema[] {
  if (schema.anyOf !== undefined) return schema.anyOf.flatMap(branchesOf);
  const types = [schema.type ?? []].flat().filter((type) => type !== 'null');
  return types.length > 1
    ? types.map((type) => ({ ...schema, type }))
    : schema.type === 'null'
      ? []
      : [schema];
}

function typeText(root: JsonSchema, schema: JsonSchema): string {
  if (schema.title !== undefined) return schema.title;
  return [...new Set(branchesOf(schema).map((branch) => branchText(root, branch)))].join(' or ');
}

function branchText(root: JsonSchema, schema: JsonSchema): string {
  const { $ref, title, items } = schema;
  const [type] = [schema.type ?? []].flat().filter((one) => one !== 'null');
  if ($ref !== undefined) return typeText(root, root.$defs?.[$ref.replace('#/$defs/', '')] ?? {});
  if (title !== undefined) return title;
  if (schema.enum !== undefined) return schema.enum.map(String).join(', ');
  if (schema.const !== undefined) return String(schema.const);
  if (items !== undefined) return `list of ${plural(typeText(root, items))}`;
  if (type === 'integer' || type === 'number') return numberText(schema);
  if (type === 'boolean') return 'true or false';
  return type === 'object' ? 'keys' : (type?.replace('string', 'text') ?? 'value');
}

function plural(text: string): string {
  return text
    .replace(/^text$/, 'texts')
    .replace(/^keys\b/, 'entries')
    .replace(/^(list|value)\b/, '$1s');
}

/** Bounds that are those of all numbers say nothing. */
function numberText({ minimum, maximum }: JsonSchema): string {
  const isBound = (bound: number | undefined) => bound !== undefined && Math.abs(bound) < 2 ** 53 - 1;
  return isBound(minimum) && isBound(maximum) ? `${minimum} to ${maximum}` : 'number';
}
