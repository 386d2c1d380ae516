import { z } from 'zod';

/** `restore --json`, with `--dry-run` and without, as far as pages need it. */

const target = z.object({
  reachedTime: z.string().nullish(),
  reachedLsn: z.string().nullish(),
  /** Of what was asked for; a backup alone has only its time. */
  time: z.string().optional(),
});

const common = {
  backupId: z.string(),
  /** The full backup first. */
  chain: z.array(z.string()),
  target,
  notes: z.array(z.string()),
  reasons: z.array(z.string()).default([]),
};

const logPart = z.object({
  ...{ folder: z.string(), bytes: z.number(), eventsAtMost: z.number(), removesEvents: z.boolean() },
  files: z.array(z.object({ name: z.string(), sizeBytes: z.number() })),
  ...{ fromLsn: z.string(), cutLsn: z.string().nullable(), logEndsAt: z.string() },
});

/** Of the whole store. */
export const restorePlan = z.object({
  ...common,
  ...{ events: z.number(), streams: z.number(), fetchBytes: z.number() },
  log: logPart.nullable(),
  ...{ expectedSeconds: z.number(), expectedEventsPerSecond: z.number() },
  eventsBehind: z.number().nullable(),
});

export type RestorePlanDocument = z.infer<typeof restorePlan>;

const streamOutcome = z.object({
  ...{ streamId: z.string(), action: z.string(), events: z.number() },
  ...{ fromVersion: z.number().nullable(), toVersion: z.number().nullable() },
});

/** Of single streams. */
export const streamsPlan = z.object({
  ...common,
  events: z.number(),
  streams: z.array(streamOutcome),
});

export type StreamsPlanDocument = z.infer<typeof streamsPlan>;

const checkpoint = z.object({
  ...{ name: z.string(), action: z.string(), ahead: z.boolean() },
  ...{ position: z.string().nullable(), restoredPosition: z.string().nullable() },
});

/** What a restore has done. */
export const restoreReport = z.object({
  ...common,
  ...{ store: z.string(), eventsRestored: z.number(), streamsRestored: z.number() },
  ...{ recoveryTime: z.string().nullable(), durationMs: z.number(), dataIntegrityVerified: z.boolean() },
  epoch: z.string().nullish(),
  checkpoints: z.array(checkpoint),
  snapshotsDropped: z.array(z.string()).default([]),
  leftOut: z.array(z.string()).default([]),
  eventsReplayed: z.number().optional(),
  versionsSkipped: z.number().nullish(),
  epochRecord: z
    .object({
      record: z.string().nullable(),
      problem: z.string().nullable(),
      vanished: z.object({ events: z.number() }).nullable(),
    })
    .optional(),
});

export type RestoreReportDocument = z.infer<typeof restoreReport>;
