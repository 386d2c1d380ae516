import { z } from 'zod';

const limit = z.int().min(1).max(1000);

/** What may stand in the section `queue` of a configuration file. */
export const queueSchema = z.strictObject({
  address: z
    .string()
    .min(1)
    .optional()
    .describe(
      'a database of PostgreSQL: postgres://user@host:5432/database (without the password); full backups, verify, restore, drill and sync then have their work done by workers',
    ),
  key: z
    .string()
    .min(1)
    .optional()
    .describe('where the key is that coordinators and workers share: file:PATH, env:NAME or command:LINE'),
  concurrency: limit
    .optional()
    .describe('jobs that a worker does at once; left out: as many as there are processors, at most 4'),
  per_store: limit
    .optional()
    .describe('jobs that read or load one store at once, over all workers; left out: no limit'),
  per_vault: limit
    .optional()
    .describe('jobs that check or copy in one vault at once, over all workers; left out: no limit'),
});

export type QueueSection = z.infer<typeof queueSchema>;
