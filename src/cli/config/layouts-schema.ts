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
    id: name.optional().describe('of an event; left out: made of its stream and version'),
    stream: name.describe('id of the stream'),
    version: name.describe('place of the event in its stream'),
    type: name.describe('what happened, by name'),
    data: name.describe('what happened, as JSON'),
    metadata: name.optional().describe('what else is known of it, as JSON; left out: none'),
    time: name.describe('when it was recorded'),
  })
  .refine((columns) => new Set(Object.values(columns)).size === Object.values(columns).length, {
    error: 'one column cannot be two things',
  });

const belongsSchema = z.strictObject({
  table: name.describe('its name, in the same schema'),
  role: z
    .enum(['streams', 'progress', 'ledger'])
    .describe(
      'what is kept of each stream, how far consumers are (`--checkpoints reset` leaves it out), or a list of migrations (restored only where the target has none)',
    ),
  key: name.describe('the column in whose order rows are read: best the primary key'),
});

const layoutSchema = z.strictObject({
  table: name.describe('where the events are'),
  schema: name
    .optional()
    .meta({ description: 'the schema of the table; `?schema=` beats it', default: 'public' }),
  columns: columnsSchema.describe('which column is what'),
  version_base: z
    .union([z.literal(0), z.literal(1)], { error: 'expected 0 or 1' })
    .describe('the version of a stream’s first event'),
  order: z
    .array(name)
    .min(1)
    .max(10)
    .optional()
    .describe('columns by which consumers read; left out: stream by stream'),
  sequences: z
    .record(name, name)
    .optional()
    .describe(
      'sequences that must stand behind the greatest value of a column after a restore, as `{ SEQUENCE: COLUMN }`; those of columns’ defaults are found without it',
    ),
  belongs: z
    .array(belongsSchema)
    .max(50)
    .optional()
    .describe('tables that are backed up whole, with the events'),
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
