import { z } from 'zod';
import { CHECK_NAME } from '../../integrity/checks/custom.ts';
import { span } from '../config/policy-schema.ts';

/** What may stand in the section `drill` of a configuration file, under the specification's names. */

const value = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const statementSchema = z.strictObject({
  name: z.string().regex(CHECK_NAME, { error: 'expected small letters, digits and underscores' }),
  sql: z.string().trim().min(1),
  expect: z.union([value, z.array(z.array(value)).max(1000)], {
    error: 'expected a value, or rows of values',
  }),
});

/** A path is seen from the folder of the file. */
const moduleSchema = z.strictObject({ module: z.string().min(1) });

const frequency = span('months', '12h, 1d, 2w or 6m (months)');

/** As a number, or as `5%`. */
const percentage = z.preprocess(
  (given) => (typeof given === 'string' && /^\d+(\.\d+)?%$/.test(given) ? Number(given.slice(0, -1)) : given),
  z.number({ error: 'expected a number from 0 to 100' }).min(0).max(100),
);

export const drillSchema = z.strictObject({
  test_frequency: frequency.optional(),
  full_restore_test_frequency: frequency.optional(),
  sample_restore_percentage: percentage.optional(),
  cleanup_test_data: z.boolean().optional(),
  target: z.string().min(1).optional(),
  heartbeat_url: z.url({ protocol: /^https?$/, error: 'expected an address of http or https' }).optional(),
  checks: z
    .array(z.union([statementSchema, moduleSchema], { error: 'expected name, sql and expect, or module' }))
    .max(100)
    .optional(),
});

export type DrillSection = z.output<typeof drillSchema>;
export type DrillCheckEntry = NonNullable<DrillSection['checks']>[number];
