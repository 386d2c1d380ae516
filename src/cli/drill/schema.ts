import { z } from 'zod';
import { CHECK_NAME } from '../../integrity/checks/custom.ts';
import { span } from '../config/policy-schema.ts';

/** What may stand in the section `drill` of a configuration file, under the specification's names. */

const value = z.union([z.string(), z.number(), z.boolean(), z.null()]).meta({ title: 'value' });

const statementSchema = z.strictObject({
  name: z
    .string()
    .regex(CHECK_NAME, { error: 'expected small letters, digits and underscores' })
    .describe('its name in the report'),
  sql: z.string().trim().min(1).describe('one statement that is asked of the restored store'),
  expect: z
    .union([value, z.array(z.array(value)).max(1000)], { error: 'expected a value, or rows of values' })
    .describe('what it must answer: a value, or rows of values'),
});

const moduleSchema = z.strictObject({
  module: z
    .string()
    .min(1)
    .describe(
      'a module that exports `initialState` and `evolve`, and `streams` if wanted: events must lead to a state; its path is seen from the folder of the file',
    ),
});

const frequency = span('months', '12h, 1d, 2w or 6m (months)');

/** As a number, or as `5%`. */
const percentage = z
  .preprocess(
    (given) =>
      typeof given === 'string' && /^\d+(\.\d+)?%$/.test(given) ? Number(given.slice(0, -1)) : given,
    z.number({ error: 'expected a number from 0 to 100' }).min(0).max(100),
  )
  .meta({ title: 'percentage' });

export const drillSchema = z.strictObject({
  test_frequency: frequency
    .optional()
    .describe('how often your schedule runs it; `doctor` warns when no drill passed for twice as long'),
  full_restore_test_frequency: frequency
    .optional()
    .describe('a full restore is due this long after the last one that passed; left out: in each drill'),
  sample_restore_percentage: percentage
    .optional()
    .meta({ description: 'how many of the streams a partial restore brings back', default: 5 }),
  cleanup_test_data: z.boolean().optional().meta({ description: 'remove what was restored', default: true }),
  target: z
    .string()
    .min(1)
    .optional()
    .describe(
      'where is restored to: sqlite, sqlite:FOLDER, postgres (programs on this machine) or postgres://user@host/postgres; left out: what the store is',
    ),
  heartbeat_url: z
    .url({ protocol: /^https?$/, error: 'expected an address of http or https' })
    .optional()
    .describe('called after each drill that passed'),
  checks: z
    .array(z.union([statementSchema, moduleSchema], { error: 'expected name, sql and expect, or module' }))
    .max(100)
    .optional()
    .describe('questions of your own to the restored store'),
});

export type DrillSection = z.output<typeof drillSchema>;
export type DrillCheckEntry = NonNullable<DrillSection['checks']>[number];
