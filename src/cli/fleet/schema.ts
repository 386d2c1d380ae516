import { z } from 'zod';
import { parsePostgresUri } from '../../core/postgres-address.ts';

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

const postgresAddress = z.string().refine((text) => parsePostgresUri(text) !== null, {
  error: 'expected an address, as postgres://role@host/postgres',
});

const foundServerSchema = z.strictObject({
  address: postgresAddress.describe('of any database of the server; its role only has to be let in'),
  store: postgresAddress
    .optional()
    .describe('as whom each of its databases is read, whose name comes in; left out: as `address`'),
  databases: z
    .array(z.string().min(1))
    .optional()
    .describe(
      'names, with `*` for anything, of databases that are stores though nobody marked them; `eventcore.backup` set to off counts for more',
    ),
});

export type FoundServer = z.output<typeof foundServerSchema>;

const foundSchema = z.strictObject({
  folder: z.string().min(1).optional().meta({
    description: 'where the daemon writes a configuration for each of them; seen from this file',
    default: 'found',
  }),
  servers: z
    .record(
      z.string().regex(LABEL_VALUE, { error: 'expected letters and digits, with - _ . between them' }).min(1),
      foundServerSchema,
    )
    .describe('where databases are looked for, each under a name of yours, which is their label `server`'),
});

export const fleetSchema = z.strictObject({
  folder: z.string().min(1).optional().meta({
    description: 'holds a configuration for each store, which `extends` this one; seen from this file',
    default: 'stores',
  }),
  found: foundSchema
    .optional()
    .describe('servers of PostgreSQL whose databases are stores where they say so by `eventcore.backup`'),
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
  if (path[1] === 'at_once') return Object.keys(atOnceSchema.shape);
  if (path[1] !== 'found') return Object.keys(fleetSchema.shape);
  return Object.keys(path[2] === 'servers' ? foundServerSchema.shape : foundSchema.shape);
}
