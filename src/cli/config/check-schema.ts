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
  name,
  sql: z.string().trim().min(1),
  severity: z.enum(['damage', 'risk']).optional(),
  every: z.enum(['run', 'sweep']).optional(),
});

/** A path is seen from the folder of the file. */
const moduleSchema = z.strictObject({ module: z.string().min(1) });

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
