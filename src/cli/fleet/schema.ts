import { z } from 'zod';

/** What may stand in the section `fleet`: which stores there are, and what they may do at once. */

/** As labels of Kubernetes: they stand in addresses. */
const LABEL_NAME = /^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$/;
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

export const labelsSchema = z.record(
  z.string().regex(LABEL_NAME, { error: 'expected the name of a label, as team or example.com/team' }),
  z.string().regex(LABEL_VALUE, { error: 'expected letters and digits, with - _ . between them' }),
);

const count = (least: number, most: number) => z.int().min(least).max(most);

/** Fewer would leave no place for what is not a backup. */
const LEAST_AT_ONCE = 4;

const atOnceSchema = z.strictObject({
  all: count(LEAST_AT_ONCE, 256).optional().meta({
    description:
      'jobs of all stores; an eighth each for upkeep, for proofs and for checks, the rest for backups',
    default: 8,
  }),
  per_server: count(1, 256).optional().meta({
    description: 'backups that read one server of PostgreSQL',
    default: 2,
  }),
  per_vault: count(1, 256)
    .optional()
    .describe('jobs with one bucket or file system; left out: as many as `all`'),
});

export const fleetSchema = z.strictObject({
  folder: z.string().min(1).optional().meta({
    description: 'holds a configuration for each store, which `extends` this one; seen from this file',
    default: 'stores',
  }),
  at_once: atOnceSchema.optional().describe('how much may run at once'),
  metrics_stores: count(1, 10_000).optional().meta({
    description: 'of so many stores there are metrics one by one; of more, of those that are not well',
    default: 500,
  }),
});

export type FleetSection = z.output<typeof fleetSchema>;

/** The keys that may stand at a place in this section; null for the place of another section. */
export function allowedInFleet(path: readonly PropertyKey[]): string[] | null {
  if (path[0] !== 'fleet') return null;
  return Object.keys(path[1] === 'at_once' ? atOnceSchema.shape : fleetSchema.shape);
}
