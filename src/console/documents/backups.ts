import { z } from 'zod';

/** What pages of backups need of what `list`, `show`, `keys list`, `hold list`, `freeze status` and `runs` answer. */

const broken = z.looseObject({ message: z.string() }).nullable();

const backup = z.object({
  backupId: z.string(),
  kind: z.enum(['full', 'incremental']),
  parentId: z.string().nullable(),
  createdAt: z.string(),
  finishedAt: z.string(),
  durationMs: z.number(),
  software: z.string(),
  format: z.string(),
  compression: z.string(),
  sealed: z.boolean(),
  signer: z.string().nullable(),
  source: z.object({ kind: z.string(), layout: z.string(), serverVersion: z.string() }),
  totalEvents: z.number(),
  totalStreams: z.number(),
  sizeBytes: z.number(),
  plainBytes: z.number(),
  checksum: z.string(),
  eventRange: z
    .object({
      earliestEvent: z.string(),
      latestEvent: z.string(),
      earliestVersion: z.string(),
      latestVersion: z.string(),
    })
    .nullable(),
  oddities: z.record(z.string(), z.number()),
  chain: z.object({
    baseId: z.string(),
    length: z.number(),
    totalEvents: z.number(),
    totalStreams: z.number(),
    method: z.string().nullable(),
  }),
  chainBroken: broken,
  verifiedAt: z.string().nullable(),
  verifiedSound: z.boolean().nullable(),
});
export type BackupDocument = z.output<typeof backup>;

export const listDocument = z.object({
  backups: z.array(backup),
  unfinished: z.array(
    z.object({
      backupId: z.string(),
      kind: z.string(),
      objects: z.number(),
      sizeBytes: z.number(),
      modifiedAt: z.string(),
      canBeTakenUp: z.boolean(),
    }),
  ),
  damaged: z.array(z.object({ backupId: z.string(), kind: z.string(), message: z.string() })),
});
export type ListDocument = z.output<typeof listDocument>;

export const showDocument = backup.extend({
  folder: z.string(),
  links: z.array(z.string()).nullable(),
  files: z.array(
    z.object({
      name: z.string(),
      role: z.string(),
      sizeBytes: z.number(),
      records: z.number(),
      chunks: z.number(),
    }),
  ),
});
export type ShowDocument = z.output<typeof showDocument>;

export const keysDocument = z.object({
  keys: z.array(
    z.object({
      folder: z.string(),
      records: z.array(
        z.object({
          superseded: z.boolean(),
          recipients: z.array(z.object({ kind: z.string(), recipient: z.string() })),
        }),
      ),
    }),
  ),
});
export type KeysDocument = z.output<typeof keysDocument>;

export const holdsDocument = z.object({
  holds: z.array(
    z.object({
      holdId: z.string(),
      backupId: z.string(),
      reason: z.string(),
      until: z.string().nullable(),
      covers: z.array(z.string()),
      ended: z.boolean(),
    }),
  ),
});
export type HoldsDocument = z.output<typeof holdsDocument>;

export const freezeDocument = z.object({
  frozen: z.boolean(),
  freezes: z.array(z.object({ reason: z.string(), createdAt: z.string() })),
});

export const runsDocument = z.object({
  runs: z.array(
    z.object({
      job: z.string(),
      attempt: z.number(),
      startedAt: z.string(),
      daemon: z.string(),
      reason: z.string(),
      missed: z.number(),
      state: z.enum(['succeeded', 'failed', 'interrupted', 'not_ended']),
      exitCode: z.number().nullable(),
      durationMs: z.number().nullable(),
      code: z.string().nullable(),
      facts: z.record(z.string(), z.number()),
    }),
  ),
});
export type RunsDocument = z.output<typeof runsDocument>;
