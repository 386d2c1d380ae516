import { z } from 'zod';
import type { CustomMapping, CustomMappings } from '../../core/custom-mapping.ts';

/** What may stand in the section `layouts` of a configuration file: event stores that nobody knows, by names of their own. */

/** PostgreSQL cuts longer names silently. */
const MAX_NAME_BYTES = 63;

const name = z
  .string()
  .refine((text) => text !== '' && !/[\0{}]/.test(text) && Buffer.byteLength(text) <= MAX_NAME_BYTES, {
    error: `expected a name of 1 to ${MAX_NAME_BYTES} bytes, without braces`,
  });

const columnsSchema = z
  .strictObject({
    id: name.optional(),
    ...{ stream: name, version: name, type: name, data: name },
    metadata: name.optional(),
    time: name,
  })
  .refine((columns) => new Set(Object.values(columns)).size === Object.values(columns).length, {
    error: 'one column cannot be two things',
  });

const belongsSchema = z.strictObject({
  table: name,
  role: z.enum(['streams', 'progress', 'ledger']),
  key: name,
});

const layoutSchema = z.strictObject({
  table: name,
  schema: name.optional(),
  columns: columnsSchema,
  version_base: z.union([z.literal(0), z.literal(1)], { error: 'expected 0 or 1' }),
  order: z.array(name).min(1).max(10).optional(),
  sequences: z.record(name, name).optional(),
  belongs: z.array(belongsSchema).max(50).optional(),
});

const layoutName = z.string().regex(/^[a-z][a-z0-9-]{0,40}$/, {
  error: 'expected a name of small letters, digits and -, beginning with a letter',
});

export const layoutsSchema = z.record(layoutName, layoutSchema);

export type LayoutsSection = z.infer<typeof layoutsSchema>;

/** What may stand at a place in the section; null where the place is another. */
export function allowedInLayouts([section, , ...rest]: readonly PropertyKey[]): string[] | null {
  if (section !== 'layouts') return null;
  if (rest[0] === 'columns') return Object.keys(columnsSchema.shape);
  if (rest[0] === 'belongs') return Object.keys(belongsSchema.shape);
  return Object.keys(layoutSchema.shape);
}

export function mappingsOf(section: LayoutsSection): CustomMappings {
  return Object.fromEntries(Object.entries(section).map(([key, layout]) => [key, mappingOf(layout)]));
}

function mappingOf({
  table,
  schema = 'public',
  columns,
  version_base: versionBase,
  order = [],
  sequences = {},
  belongs = [],
}: LayoutsSection[string]): CustomMapping {
  const { id = null, metadata = null, ...others } = columns;
  return {
    ...{ schema, table, versionBase, order },
    columns: { ...others, id, metadata },
    sequences: Object.entries(sequences).map(([sequence, column]) => ({ name: sequence, column })),
    belongs: belongs.map(({ table: belonging, role, key }) => ({ name: belonging, role, key })),
  };
}
