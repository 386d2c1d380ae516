import { z } from 'zod';
import { REPAIR_KINDS } from '../../core/finding.ts';
import { parseSpan } from '../../policy/duration.ts';
import { parseRate } from '../arguments.ts';
import { checksSchema } from '../config/check-schema.ts';

/** What may stand in the sections `monitor` and `notify` of a configuration file. */

const span = (example: string) =>
  z.string({ error: `expected a span of time, as ${example}` }).transform((text, context) => {
    const ms = parseSpan(text, 'minutes');
    if (ms !== null) return ms;
    context.addIssue({ code: 'custom', message: `expected a span of time, as ${example}` });
    return z.NEVER;
  });

/** `5` or `5%`, as a number. */
const percentage = (most: number) =>
  z
    .preprocess(
      (value) =>
        typeof value === 'string' ? Number(/^(\d+(?:\.\d+)?) ?%$/.exec(value)?.[1] ?? Number.NaN) : value,
      z.number({ error: `expected a percentage up to ${most}, as 5%` }),
    )
    .refine((value) => value >= 0 && value <= most, { error: `expected a percentage up to ${most}, as 5%` });

const monitorSchema = z.strictObject({
  check_interval: span('1h')
    .refine((ms) => ms >= 1000, { error: 'expected at least 1s' })
    .optional(),
  sample_percentage: percentage(100)
    .refine((value) => value > 0, { error: 'expected more than 0%' })
    .optional(),
  alert_on_corruption: z.boolean().optional(),
  auto_repair: z.boolean().optional(),
  repair_kinds: z.array(z.enum(REPAIR_KINDS)).optional(),
  jitter: percentage(50).optional(),
  rate_limit: z
    .string()
    .refine((text) => parseRate(text) !== null, { error: 'expected a rate of at least 100kB/s, as 10MB/s' })
    .transform((text) => parseRate(text)!)
    .optional(),
  statement_timeout: span('30s').optional(),
  max_replication_lag: span('1m').optional(),
  required_metadata: z.array(z.string().min(1)).max(100).optional(),
  clock_tolerance: span('5m').optional(),
  repeat_after: span('24h').optional(),
  checks: checksSchema.optional(),
});

/** Where a secret is. The secret itself is taken for a mistake, and not shown. */
const source = z.string().regex(/^(file|env|command):/, {
  error: 'expected where the secret is: file:PATH, env:NAME or command:LINE',
});

const url = z.string().regex(/^(https?:\/\/|file:|env:|command:)/, {
  error: 'expected an address as https://…, or where it is: file:PATH, env:NAME or command:LINE',
});
const webhookSchema = z.strictObject({ url, secret: source.optional() });
const slackSchema = z.strictObject({ url });

const text = z.string().min(1).max(1000);

const mailSchema = z.strictObject({
  server: z
    .string()
    .regex(/^smtps?:\/\/[^:@/]*(?:@[^:@/]+)?(?::\d+)?$|^smtps?:\/\/(?:[^:@/]+@)?\[[0-9a-f:]+\](?::\d+)?$/, {
      error: 'expected a mail server without a password, as smtps://user@mail.example.com',
    }),
  password: source.optional(),
  from: text,
  to: z.array(text).min(1).max(100),
});

const KINDS = {
  log: z.strictObject({}).nullable(),
  webhook: webhookSchema,
  slack: slackSchema,
  mail: mailSchema,
  command: z.array(z.string().refine((word) => !word.includes('\0'), { error: 'expected words' })).min(1),
};

/** What an entry is told of, beside how. */
const RULES = {
  /** Only what is critical. */
  severity: z.enum(['critical']).optional(),
  /** Only what is open for so long. */
  after: span('30m').optional(),
};

const notifierSchema = z.preprocess(
  (value) => (value === 'log' ? { log: {} } : value),
  z
    .strictObject({
      log: KINDS.log.optional(),
      webhook: KINDS.webhook.optional(),
      slack: KINDS.slack.optional(),
      mail: KINDS.mail.optional(),
      command: KINDS.command.optional(),
      ...RULES,
    })
    .refine((entry) => Object.keys(entry).filter((key) => key in KINDS).length === 1, {
      error: `expected one of ${Object.keys(KINDS).join(', ')} in each entry`,
    }),
);

export const monitorShape = {
  monitor: monitorSchema.nullish(),
  notify: z.array(notifierSchema).max(20).nullish(),
};

export type MonitorSettings = z.infer<typeof monitorSchema>;
export type NotifierSettings = z.infer<typeof notifierSchema>;

/** The keys that may stand at a place in these sections; null for the place of another section. */
export function allowedInMonitor(path: readonly PropertyKey[]): string[] | null {
  const [section, , kind] = path;
  if (section === 'monitor') return Object.keys(monitorSchema.shape);
  if (section !== 'notify') return null;
  if (kind === 'webhook') return Object.keys(webhookSchema.shape);
  if (kind === 'slack') return Object.keys(slackSchema.shape);
  if (kind === 'mail') return Object.keys(mailSchema.shape);
  return kind === undefined ? [...Object.keys(KINDS), ...Object.keys(RULES)] : ['nothing'];
}
