import { z } from 'zod';
import { REPAIR_KINDS } from '../../core/finding.ts';

/** `monitor --history --json`, as far as pages need it. */

export const MONITOR_OUTCOMES = ['sound', 'risk', 'damaged', 'put_off', 'blind'] as const;
export const CHECK_VERDICTS = ['sound', 'found', 'failed', 'skipped'] as const;
export const REPAIR_OUTCOMES = ['repaired', 'refused', 'failed'] as const;

const blind = z.object({ cause: z.string(), times: z.number() });

const run = z.object({
  ...{ runId: z.string(), startedAt: z.string(), durationMs: z.number() },
  outcome: z.enum(MONITOR_OUTCOMES),
  checks: z.array(
    z.object({
      ...{ name: z.string(), verdict: z.enum(CHECK_VERDICTS) },
      ...{ findings: z.number(), events: z.number() },
    }),
  ),
  looked: z.object({
    ...{ streams: z.number(), events: z.number(), compared: z.number() },
    comparedWith: z.string().nullable(),
  }),
  open: z.number(),
});

const round = z.object({
  /** From 1. */
  round: z.number(),
  /** From 0 to 1. */
  covered: z.number(),
  startedAt: z.string().nullable(),
  /** When all was looked at last. */
  finishedAt: z.string().nullable(),
});

const openAlert = z.object({
  ...{ check: z.string(), place: z.string(), severity: z.enum(['warning', 'critical']) },
  ...{ findings: z.number(), events: z.number(), since: z.string(), toldAt: z.string().nullable() },
});

const now = z.object({
  ...{ runId: z.string(), startedAt: z.string(), outcome: z.enum(MONITOR_OUTCOMES) },
  sweep: z
    .object({ blocks: round, buckets: round, suspects: z.number(), avoidedBlocks: z.number() })
    .nullable(),
  open: z.array(openAlert),
  blind: z.array(blind),
  owed: z.number(),
});

const repair = z.object({
  ...{ repairId: z.string(), beganAt: z.string(), endedAt: z.string().nullable() },
  state: z.enum(['done', 'begun']),
  backupId: z.string().nullable(),
  /** Null where its record cannot be read. */
  steps: z
    .array(
      z.object({
        ...{ kind: z.enum(REPAIR_KINDS), count: z.number() },
        outcome: z.enum(REPAIR_OUTCOMES).nullable(),
      }),
    )
    .nullable(),
});

export const monitorHistory = z.object({
  /** Oldest first. */
  runs: z.array(run),
  /** Null: nothing is on record. */
  now: now.nullable(),
  warnings: z.array(z.string()),
  /** Oldest first. */
  repairs: z.array(repair),
});

export type MonitorHistory = z.infer<typeof monitorHistory>;
export type MonitorNow = NonNullable<MonitorHistory['now']>;
