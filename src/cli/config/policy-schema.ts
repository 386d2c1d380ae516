import { z } from 'zod';
import type { RetentionRule } from '../../core/retention-rule.ts';
import { type BareM, parseSpan } from '../../policy/duration.ts';

/** What may stand in the sections of a configuration file that say where copies are and how long they stay. */

export const span = (bareM: BareM, example: string) =>
  z
    .string({ error: `expected a span of time, as ${example}` })
    .transform((text, context) => {
      const ms = parseSpan(text, bareM);
      if (ms !== null) return ms;
      context.addIssue({ code: 'custom', message: `expected a span of time, as ${example}` });
      return z.NEVER;
    })
    .meta({ title: 'span of time' });

const kept = span('months', '12h, 30d, 12w, 6m (months) or 7y');
const lost = span('minutes', '15m (minutes), 6h or 1d');
const count = z.int().min(1).max(10_000);

const retentionMap = z.strictObject({
  within: kept.optional().describe('all restore points that are younger, as 30d'),
  last: count.optional().describe('the newest so many'),
  daily: count.optional().describe('the newest of each of so many days that have one'),
  weekly: count.optional().describe('the same of weeks (from Monday)'),
  monthly: count.optional().describe('the same of months'),
  yearly: count.optional().describe('the same of years'),
  log: kept
    .optional()
    .describe(
      'the change log so far back: every instant of it stays recoverable; left out: as long as the oldest backup that is kept',
    ),
  minimum_redundancy: count
    .optional()
    .meta({ description: 'so many whole chains, whatever else is said', default: 1 }),
});

/** A span alone keeps what is younger. */
const retention = z
  .preprocess((value) => (typeof value === 'string' ? { within: value } : value), retentionMap)
  .transform(({ within, log, minimum_redundancy, ...counts }, context): RetentionRule => {
    const said = [within, log, minimum_redundancy, ...Object.values(counts)];
    if (said.every((value) => value === undefined)) {
      context.addIssue({
        code: 'custom',
        message: 'it says nothing: expected within, last, daily or the like',
      });
      return z.NEVER;
    }
    return {
      ...counts,
      ...(within === undefined ? {} : { withinMs: within }),
      ...(log === undefined ? {} : { logMs: log }),
      ...(minimum_redundancy === undefined ? {} : { minimumRedundancy: minimum_redundancy }),
    } as RetentionRule;
  })
  .meta({
    id: 'retention',
    description: 'what stays there; a span alone keeps what is younger. Left out: nothing is ever removed',
  });

const text = z.string().min(1);
const timeZone = text.describe(
  'whose clock schedules and calendar rules mean, as Europe/Berlin; left out: that of the whole file',
);

const primarySchema = z.strictObject({
  region: text.describe('a name for people and commands, of its own for each region'),
  storage: text.optional().describe('the address of its vault, as `--vault` takes it; left out: `vault`'),
  schedule: text
    .optional()
    .describe('when backups are taken by `eventcore serve`: five fields of cron, as "0 */6 * * *"'),
  retention: retention.optional(),
  time_zone: timeZone.optional(),
});

const replicaSchema = z.strictObject({
  region: text.describe('a name for people and commands, of its own for each region'),
  storage: text.describe('the address of its vault'),
  sync_schedule: text.optional().describe('when it gets what it lacks: five fields of cron'),
  retention: retention.optional(),
  time_zone: timeZone.optional(),
});

const archiveSchema = z.strictObject({
  region: text.optional().meta({ description: 'its name', default: 'archive' }),
  storage: text.describe('the address of its vault'),
  after_days: z
    .int()
    .min(1)
    .max(36_500)
    .describe('chains whose newest backup is older than so many days are moved there'),
  retention: retention.optional(),
  time_zone: timeZone.optional(),
});

const objectivesSchema = z.strictObject({
  rpo: lost.optional().describe('how much of what was written may be lost when the store is lost, as time'),
  region_rpo: lost.optional().describe('the same when the region of the primary vault is lost with it'),
  rto: lost.optional().describe('how long a whole restore may take, as the newest drill measured it'),
  drilled_within: kept
    .optional()
    .describe('how long ago a drill may have passed; left out: twice `drill.test_frequency`'),
  verified_within: kept.optional().describe('how long ago each file may have been verified'),
});

export const policyShape = {
  time_zone: text
    .nullish()
    .meta({ description: 'whose clock schedules and calendar rules mean, as Europe/Berlin', default: 'UTC' }),
  primary: primarySchema.nullish().describe('the region that backups are taken in'),
  replicas: z.array(replicaSchema).max(100).nullish().describe('copies of the vault in other regions'),
  archive: archiveSchema.nullish().describe('where whole old chains are moved to'),
  objectives: objectivesSchema
    .nullish()
    .describe('what is promised, and judged by `status`, `doctor` and `serve`'),
};

export type PolicySections = z.infer<z.ZodObject<typeof policyShape>>;

const SECTIONS: Readonly<Record<string, { readonly shape: object }>> = {
  primary: primarySchema,
  replicas: replicaSchema,
  archive: archiveSchema,
  objectives: objectivesSchema,
};

/** The keys that a section may have at a place in it; null for the place of another section. */
export function allowedInPolicy(path: readonly PropertyKey[]): string[] | null {
  const section = SECTIONS[String(path[0])];
  if (section === undefined) return null;
  return Object.keys((path.at(-1) === 'retention' ? retentionMap : section).shape);
}
