import { z } from 'zod';
import { BUILT_IN_CHECKS } from '../../integrity/checks/built-in.ts';
import { CHECK_NAME } from '../../integrity/checks/custom.ts';

/** What may stand in the list `monitor.checks` of a configuration file: statements, and modules that export a check. */

const name = z
  .string()
  .regex(CHECK_NAME, { error: 'expected small letters, digits and underscores' })
  .refine((given) => !BUILT_IN_CHECKS.some((check) => check.name === given), {
    error: 'there is a check of that name already',
  });

const statementSchema = z.strictObject({
  name: name.describe('its name in findings and alerts'),
  sql: z
    .string()
    .trim()
    .min(1)
    .describe(
      'one statement that reads; each row is a finding, with `stream_id`, `version`, `event_id` and `message` where it has them',
    ),
  severity: z
    .enum(['damage', 'risk'])
    .optional()
    .meta({ description: 'what a finding stands for', default: 'risk' }),
  every: z
    .enum(['run', 'sweep'])
    .optional()
    .meta({ description: 'asked in each run, or once in each round through the store', default: 'run' }),
});

const moduleSchema = z.strictObject({
  module: z
    .string()
    .min(1)
    .describe('a module that exports a check; its path is seen from the folder of the file'),
});

export const checksSchema = z
  .array(z.union([statementSchema, moduleSchema], { error: 'expected name and sql, or module' }))
  .max(100)
  .refine((list) => areDistinct(list.flatMap((check) => ('name' in check ? [check.name] : []))), {
    error: 'two checks have one name',
  });

export type UserCheck = z.output<typeof checksSchema>[number];

function areDistinct(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}
