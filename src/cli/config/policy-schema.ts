import { z } from 'zod';
import type { RetentionRule } from '../../core/retention-rule.ts';
import { type BareM, parseSpan } from '../../policy/duration.ts';

/** What may stand in the sections of a configuration file that say where copies are and how long they stay. */

export const span = (bareM: BareM, example: string) =>
  z.string({ error: `expected a span of time, as ${example}` }).transform((text, context) => {
    const ms = parseSpan(text, bareM);
    if (ms !== null) return ms;
    context.addIssue({ code: 'custom', message: `expected a span of time, as ${example}` });
    return z.NEVER;
  });

const kept = span('months', '12h, 30d, 12w, 6m (months) or 7y');
const lost = span('minutes', '15m (minutes), 6h or 1d');
const count = z.int().min(1).max(10_000);

const retentionMap = z.strictObject({
  within: kept.optional(),
  last: count.optional(),
  daily: count.optional(),
  weekly: count.optional(),
  monthly: count.optional(),
  yearly: count.optional(),
  log: kept.optional(),
  minimum_redundancy: count.optional(),
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
  });

const text = z.string().min(1);

const primarySchema = z.strictObject({
  region: text,
  storage: text.optional(),
  schedule: text.optional(),
  retention: retention.optional(),
  time_zone: text.optional(),
});

const replicaSchema = z.strictObject({
  region: text,
  storage: text,
  sync_schedule: text.optional(),
  retention: retention.optional(),
  time_zone: text.optional(),
});

const archiveSchema = z.strictObject({
  region: text.optional(),
  storage: text,
  after_days: z.int().min(1).max(36_500),
  retention: retention.optional(),
  time_zone: text.optional(),
});

const objectivesSchema = z.strictObject({
  rpo: lost.optional(),
  region_rpo: lost.optional(),
  rto: lost.optional(),
  drilled_within: kept.optional(),
  verified_within: kept.optional(),
});

export const policyShape = {
  time_zone: text.nullish(),
  primary: primarySchema.nullish(),
  replicas: z.array(replicaSchema).max(100).nullish(),
  archive: archiveSchema.nullish(),
  objectives: objectivesSchema.nullish(),
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
