import { z } from 'zod';
import {
  DISASTER_TRIGGERS,
  RECOVERY_RISKS,
  RECOVERY_STEPS,
  type RecoveryRisk,
  STRATEGY_KINDS,
} from '../../core/disaster.ts';

/** `dr assess --json` and `dr status --json`, as far as pages need them. */

export const PRIMARY_STATES = ['alive', 'dead', 'disputed', 'doubled', 'unknown'] as const;
export const PROBE_OUTCOMES = ['answered', 'refused', 'unreachable', 'timed_out'] as const;
export const STEP_STATES = ['none', 'intent', 'done', 'skipped', 'failed'] as const;
export const OUTCOME_STATES = ['recovered', 'in_part', 'stopped', 'abandoned'] as const;
export const COPY_STATES = ['whole', 'behind', 'other'] as const;
export const JOURNAL_KINDS = [
  ...(['approved', 'resumed', 'intent', 'done'] as const),
  ...(['skipped', 'failed', 'ended', 'abandoned'] as const),
] as const;

const text = z.string().nullable();
const number = z.number().nullable();

const loss = z.object({
  bytes: text,
  events: number,
  timeMs: number,
  sampleAgeMs: number,
  basis: z.string(),
});
export type Loss = z.infer<typeof loss>;

const strategy = z.object({ kind: z.enum(STRATEGY_KINDS), targetRegion: z.string().optional() });
export type Strategy = z.infer<typeof strategy>;

const step = z.enum(RECOVERY_STEPS);
const plannedStep = z.object({ step, does: z.boolean(), text: z.string() });
const risk = z.object({
  risk: z.enum(Object.keys(RECOVERY_RISKS) as RecoveryRisk[]),
  text: z.string(),
});
const target = z.object({ region: z.string(), server: text });

const primary = z.object({
  ...{ state: z.enum(PRIMARY_STATES), region: text, server: text, lastPosition: text },
  reasons: z.array(z.string()),
});

const observation = z.object({
  ...{ vantage: z.string(), region: z.string(), server: z.string(), outcome: z.enum(PROBE_OUTCOMES) },
  ...{ ms: z.number(), reason: text },
  state: z
    .object({
      ...{ role: z.enum(['primary', 'standby']), timeline: z.number(), position: z.string() },
      ...{ isFenced: z.boolean(), clients: number },
    })
    .nullable(),
});

const candidate = z.object({
  ...{ region: z.string(), server: z.string(), behindBytes: text },
  refusals: z.array(z.string()),
});

const vault = z.object({
  ...{ region: z.string(), vault: z.string(), isReadable: z.boolean(), reason: text },
  ...{ newestPoint: text, backups: z.number(), isArchive: z.boolean() },
});

export const assessment = z.object({
  assessedAt: z.string(),
  ...{ primary, estimatedDataLoss: loss, samples: z.number() },
  candidates: z.array(candidate),
  vaults: z.array(vault),
  observations: z.array(observation),
  warnings: z.array(z.string()),
  /** What would be done, where a trigger was named; null: there is no way. */
  strategy: strategy.nullable().optional(),
  refusal: z.object({ message: z.string(), hint: text }).nullable().optional(),
  reasons: z.array(z.string()).optional(),
  target: target.optional(),
  plannedDataLoss: loss.optional(),
  steps: z.array(plannedStep).optional(),
  risks: z.array(risk).optional(),
});

export type Assessment = z.infer<typeof assessment>;

const entry = z.object({
  ...{ number: z.number(), at: z.string(), actor: z.string(), text: z.string() },
  kind: z.enum(JOURNAL_KINDS),
  step: step.nullable(),
});
export type Entry = z.infer<typeof entry>;

const runStep = z.object({
  ...{
    step,
    does: z.boolean(),
    state: z.enum(STEP_STATES),
    at: text,
    text: z.string(),
    attempts: z.number(),
  },
});

const plan = z.object({
  ...{ planId: z.string(), createdAt: z.string(), trigger: z.enum(DISASTER_TRIGGERS), strategy },
  reasons: z.array(z.string()),
  ...{ recoverTo: text, primary, target, estimatedDataLoss: loss, journalVault: z.string() },
  steps: z.array(plannedStep),
  risks: z.array(risk),
});

const outcome = z.object({
  ...{ state: z.enum(OUTCOME_STATES), recoveryTimeMs: number, unprotectedMs: number },
  dataLoss: z.object({ estimate: loss, exactEvents: number, exactMs: number, inDoubt: number }),
  systemsRecovered: z.array(z.string()),
  reasons: z.array(z.string()),
});

export const recoveryRun = z.object({
  ...{ plan, approvedAt: text, approvedBy: text, end: z.enum(['ended', 'abandoned']).nullable() },
  accepted: z.array(z.enum(Object.keys(RECOVERY_RISKS) as RecoveryRisk[])),
  steps: z.array(runStep),
  outcome,
  journal: z.object({
    ...{ vault: z.string(), isAuthoritative: z.boolean(), isWhole: z.boolean(), entries: z.number() },
    ...{ signers: z.array(z.string()), reason: text },
    copies: z.array(
      z.object({
        ...{ region: z.string(), vault: z.string(), entries: z.number(), state: z.enum(COPY_STATES) },
      }),
    ),
  }),
  timeline: z.array(entry),
});

export type RecoveryRun = z.infer<typeof recoveryRun>;

/** `dr status --all --json`: the oldest first. */
export const planList = z.object({
  plans: z.array(z.object({ planId: z.string(), object: z.string() })),
});
