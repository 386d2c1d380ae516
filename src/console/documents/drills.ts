import { z } from 'zod';
import { CANARY, DRILL_TESTS } from '../../core/drill.ts';

/** `drill list --json` and `drill show --json`, as far as pages need them. */

export const DRILL_STATES = ['passed', 'failed', 'not_due', 'skipped'] as const;
export const SIGNATURE_STATES = ['unsigned', 'signed', 'stranger', 'forged'] as const;
export const LINK_STATES = ['first', 'follows', 'missing', 'changed'] as const;

const testName = z.enum([...DRILL_TESTS, CANARY]);
const state = z.enum(DRILL_STATES);
const signature = z.object({ state: z.enum(SIGNATURE_STATES), signer: z.string().nullable() });

const objective = z.object({
  name: z.enum(['rto', 'rpo', 'region_rpo']),
  ...{ targetMs: z.number(), measuredMs: z.number().nullable(), met: z.boolean() },
});

const listed = z.object({
  ...{ drillId: z.string(), name: z.string(), problem: z.string().nullable() },
  /** This and what follows is null where the evidence cannot be read. */
  startedAt: z.string().nullable(),
  overallSuccess: z.boolean().nullable(),
  signature: signature.nullable(),
  tests: z.partialRecord(testName, state),
  reasons: z.partialRecord(testName, z.string()),
  durationMs: z.number().nullable(),
  eventsPerSecond: z.number().nullable(),
  fullRestoreMs: z.number().nullable(),
  recoverableAgeMs: z.number().nullable(),
  eventsAtRisk: z.number().nullable(),
  objectives: z.array(objective),
});

export const drillList = z.object({
  total: z.number(),
  lastPassedAt: z.string().nullable(),
  /** Newest first. */
  drills: z.array(listed),
});

export type ListedDrill = z.infer<typeof listed>;

const fact = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const test = z.object({
  ...{ name: testName, state, code: z.string().nullable(), reason: z.string().nullable(), ms: z.number() },
  steps: z.array(z.object({ name: z.string(), ms: z.number(), facts: z.record(z.string(), fact) })),
});

const restore = z.object({
  ...{ test: testName, region: z.string(), backupId: z.string(), restoreMs: z.number() },
  ...{ events: z.number(), bytes: z.number(), eventsPerSecond: z.number() },
});

const namedDigest = z.object({ name: z.string(), sha256: z.string() });

export const shownDrill = z.object({
  ...{ drillId: z.string(), startedAt: z.string(), finishedAt: z.string(), durationMs: z.number() },
  ...{ software: z.string(), vault: z.string(), target: z.string(), selection: z.string() },
  overallSuccess: z.boolean(),
  tests: z.array(test),
  measurements: z.object({
    restores: z.array(restore),
    ...{ recoverableAgeMs: z.number().nullable(), eventsAtRisk: z.number().nullable() },
  }),
  objectives: z.array(objective),
  notes: z.array(z.string()),
  report: namedDigest,
  previous: namedDigest.nullable(),
  /** Of the evidence. */
  ...{ name: z.string(), sha256: z.string(), signature },
  previousState: z.enum(LINK_STATES),
  reportWhole: z.boolean(),
  problems: z.array(z.string()),
});

export type ShownDrill = z.infer<typeof shownDrill>;
