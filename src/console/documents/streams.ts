import { z } from 'zod';

/** `show --stream ID --json`, `show --streams --prefix TEXT --json` and `diff --json`, as far as pages need them. */

const problem = z.object({ code: z.string(), message: z.string(), hint: z.string().nullable() }).nullable();

/** What is held of a stream; not there of one that is absent or not known. */
const head = {
  events: z.number().optional(),
  firstVersion: z.number().optional(),
  lastVersion: z.number().optional(),
  lastEventId: z.string().optional(),
  lastEventMadeAt: z.string().nullish(),
  gaps: z.array(z.tuple([z.number(), z.number()])).optional(),
  duplicates: z.number().optional(),
};

const state = z.enum(['held', 'absent', 'unknown']);

const point = z.object({
  ...{ backupId: z.string(), kind: z.enum(['full', 'incremental']), chainId: z.string().nullable() },
  ...{ createdAt: z.string(), state, isChanged: z.boolean(), ...head, problem },
});

export const STANDINGS = [
  ...(['same', 'ahead', 'new'] as const),
  ...(['behind', 'gone', 'differs'] as const),
  ...(['absent', 'unknown'] as const),
] as const;

export const streamHistory = z.object({
  streamId: z.string(),
  /** The newest backup first. */
  history: z.array(point),
  omitted: z.number(),
  store: z.object({ address: z.string(), state, ...head, problem }).nullable(),
  standing: z.enum(STANDINGS),
  onlyInBackups: z
    .object({ fromVersion: z.number(), toVersion: z.number(), backupId: z.string() })
    .nullable(),
});

export type StreamHistoryDocument = z.infer<typeof streamHistory>;
export type StreamPointDocument = z.infer<typeof point>;

export const streamList = z.object({
  ...{ backupId: z.string(), createdAt: z.string(), hasMoreStreams: z.boolean() },
  streams: z.array(
    z.object({
      ...{ streamId: z.string(), events: z.number(), firstVersion: z.number(), lastVersion: z.number() },
    }),
  ),
});

const count = z.object({ events: z.number(), streams: z.number() });
const extent = z.object({ events: z.number(), firstVersion: z.number(), lastVersion: z.number() }).nullable();

export const storeDiff = z.object({
  ...{ backupId: z.string(), equal: z.boolean(), diverged: z.boolean(), past: count },
  target: z.object({ time: z.string().optional(), reachedTime: z.string().nullish() }),
  liveEvents: z.number().nullable(),
  totals: z.object({
    ...{ missing: count, replaced: count, changed: count },
    unknown: z.object({ newer: count, between: count }),
  }),
  streams: z.array(
    z.object({
      ...{ streamId: z.string(), missing: extent, replaced: extent, changed: extent },
      unknown: z.object({ newer: extent, between: extent }),
      changedFields: z.record(z.string(), z.unknown()).default({}),
    }),
  ),
  omitted: z.number(),
  notes: z.array(z.string()),
});

export type StoreDiffDocument = z.infer<typeof storeDiff>;
