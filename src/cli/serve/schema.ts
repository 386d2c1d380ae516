import { z } from 'zod';
import { JOB_NAMES, type JobName } from '../../core/job.ts';
import { span } from '../config/policy-schema.ts';
import { accessShape, allowedInAccess } from './access-schema.ts';
import { RESTORE_PLACE_KEYS, restoreToSchema } from './restore-places.ts';

/** What may stand in the section `serve` of a configuration file: what the daemon does, and when. */

const every = span('minutes', '5s, 15m (minutes) or 1h');

const timingShape = {
  schedule: z.string().min(1).optional().describe('when it begins: five fields of cron'),
  every: every
    .refine((ms) => ms >= 5000, { error: 'expected at least 5s' })
    .optional()
    .describe('instead: so long after the last run began, as 15m'),
  time_zone: z
    .string()
    .min(1)
    .optional()
    .describe('whose clock the schedule means; left out: that of `primary`, or UTC'),
  options: z
    .array(z.string().min(1).max(1000))
    .max(50)
    .optional()
    .describe('further words for the command, as [--share, 5%]'),
};

/** A schedule alone says when; `off` is for a job that would run by itself. */
const jobSchema = z.preprocess(
  (value) => (typeof value === 'string' ? wordOf(value) : value),
  z.union([
    z.literal('off'),
    z.literal('always'),
    z
      .strictObject(timingShape)
      .refine(({ schedule, every: span }) => schedule === undefined || span === undefined, {
        error: 'expected either `schedule` or `every`',
      }),
  ]),
);

function wordOf(text: string): unknown {
  return text === 'off' || text === 'always' ? text : { schedule: text };
}

const job = jobSchema.meta({
  id: 'job',
  description:
    'when a job runs: five fields of cron, `always` for what runs until it is stopped, `off`, or in detail',
});
/** What each does, and when it runs where nothing is said. */
const JOB_WORDS: Readonly<Record<JobName, string>> = {
  full: '`backup full`; left out: when somebody asks',
  incremental: '`backup incremental`; left out: at `primary.schedule`, or when somebody asks',
  archive: '`archive`; left out: not at all',
  sync: '`sync`; left out: at the first `sync_schedule`, or when somebody asks',
  prune: '`prune --apply`; left out: not at all',
  verify: '`verify`; left out: when somebody asks',
  monitor: '`monitor`; left out: not at all',
  drill: '`drill`; left out: when somebody asks',
  sample: '`dr sample`; left out: not at all',
  doctor: '`doctor --no-promises`; left out: every 15 minutes',
};
const jobsSchema = z.strictObject(
  Object.fromEntries(JOB_NAMES.map((name) => [name, job.optional().describe(JOB_WORDS[name])])) as Record<
    JobName,
    z.ZodOptional<typeof job>
  >,
);

/** Timers hold no more than 24 days. */
const MOST_DEADLINE_MS = 14 * 24 * 3_600_000;

export const serveSchema = z.strictObject({
  listen: z
    .string()
    .regex(/^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, { error: 'expected host:port, as 127.0.0.1:8321' })
    .optional()
    .meta({ description: 'host and port for health, metrics and the console', default: '127.0.0.1:8321' }),
  jobs: jobsSchema.optional().describe('what runs, and when'),
  jitter: span('minutes', '5m')
    .optional()
    .meta({ description: 'runs of a schedule begin up to so much behind their time', default: '1m' }),
  deadline: span('minutes', '12h')
    .refine((ms) => ms >= 60_000 && ms <= MOST_DEADLINE_MS, { error: 'expected 1m to 14d' })
    .optional()
    .meta({ description: 'a job that did not end by then is ended', default: '12h' }),
  restore_to: restoreToSchema
    .optional()
    .describe('where the console may make new stores of what it restores'),
  ...accessShape,
});

export type ServeSection = z.output<typeof serveSchema>;
export type JobSettings = z.output<typeof jobSchema>;

/** The keys that may stand at a place in this section; null for the place of another section. */
export function allowedInServe(path: readonly PropertyKey[]): string[] | null {
  if (path[0] !== 'serve') return null;
  if (path.length === 1) return Object.keys(serveSchema.shape);
  const inAccess = allowedInAccess(path.slice(1));
  if (inAccess !== null) return inAccess;
  if (path[1] === 'restore_to') return [...RESTORE_PLACE_KEYS];
  return path.length === 2 ? [...JOB_NAMES] : Object.keys(timingShape);
}
