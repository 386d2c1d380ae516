import { z } from 'zod';
import { REPAIR_KINDS } from '../../core/finding.ts';
import { parseSpan } from '../../policy/duration.ts';
import { parseRate } from '../arguments.ts';
import { checksSchema } from '../config/check-schema.ts';

/** What may stand in the sections `monitor` and `notify` of a configuration file. */

const span = (example: string) =>
  z
    .string({ error: `expected a span of time, as ${example}` })
    .transform((text, context) => {
      const ms = parseSpan(text, 'minutes');
      if (ms !== null) return ms;
      context.addIssue({ code: 'custom', message: `expected a span of time, as ${example}` });
      return z.NEVER;
    })
    .meta({ title: 'span of time' });

/** `5` or `5%`, as a number. */
const percentage = (most: number) =>
  z
    .preprocess(
      (value) =>
        typeof value === 'string' ? Number(/^(\d+(?:\.\d+)?) ?%$/.exec(value)?.[1] ?? Number.NaN) : value,
      z.number({ error: `expected a percentage up to ${most}, as 5%` }),
    )
    .refine((value) => value >= 0 && value <= most, { error: `expected a percentage up to ${most}, as 5%` })
    .meta({ title: 'percentage' });

const monitorSchema = z.strictObject({
  check_interval: span('1h')
    .refine((ms) => ms >= 1000, { error: 'expected at least 1s' })
    .optional()
    .meta({ description: 'the time between two runs', default: '1h' }),
  sample_percentage: percentage(100)
    .refine((value) => value > 0, { error: 'expected more than 0%' })
    .optional()
    .meta({
      description: 'how much of the store is looked at in each run; all of it once in 100 / 5 runs',
      default: '5%',
    }),
  alert_on_corruption: z
    .boolean()
    .optional()
    .meta({ description: 'false: what is found is kept on record only', default: true }),
  auto_repair: z.boolean().optional().meta({
    description: 'repair what is found, of the kinds below only',
    default: false,
  }),
  repair_kinds: z
    .array(z.enum(REPAIR_KINDS))
    .optional()
    .meta({ description: 'what may be repaired without anybody being asked', default: [] }),
  jitter: percentage(50)
    .optional()
    .meta({ description: 'sooner or later than the interval by up to so much', default: '10%' }),
  rate_limit: z
    .string()
    .refine((text) => parseRate(text) !== null, { error: 'expected a rate of at least 100kB/s, as 10MB/s' })
    .transform((text) => parseRate(text)!)
    .optional()
    .meta({ title: 'rate', description: 'how fast the store and the vault are read', default: '10MB/s' }),
  statement_timeout: span('30s')
    .optional()
    .meta({ description: 'how long one statement may take', default: '30s' }),
  max_replication_lag: span('1m')
    .optional()
    .meta({ description: 'nothing is looked at while replication lags by more', default: '1m' }),
  required_metadata: z
    .array(z.string().min(1))
    .max(100)
    .optional()
    .meta({ description: 'keys that the metadata of each event must have', default: [] }),
  clock_tolerance: span('5m').optional().meta({
    description: 'how far an event’s time may be ahead of the clock, or behind the event before it',
    default: '5m',
  }),
  repeat_after: span('24h')
    .optional()
    .meta({ description: 'what goes on is told again after this time', default: '24h' }),
  checks: checksSchema.optional().describe('checks of your own: statements, or modules'),
});

/** Where a secret is. The secret itself is taken for a mistake, and not shown. */
const source = z
  .string()
  .regex(/^(file|env|command):/, {
    error: 'expected where the secret is: file:PATH, env:NAME or command:LINE',
  })
  .meta({ title: 'file:PATH, env:NAME or command:LINE' });

const url = z.string().regex(/^(https?:\/\/|file:|env:|command:)/, {
  error: 'expected an address as https://…, or where it is: file:PATH, env:NAME or command:LINE',
});
const webhookSchema = z.strictObject({
  url: url.describe('where it is sent, or where that address is'),
  secret: source.optional().describe('where the secret is that it is signed with (Standard Webhooks)'),
});
const slackSchema = z.strictObject({ url: url.describe('an incoming webhook, or where its address is') });

const text = z.string().min(1).max(1000);

const mailSchema = z.strictObject({
  server: z
    .string()
    .regex(/^smtps?:\/\/[^:@/]*(?:@[^:@/]+)?(?::\d+)?$|^smtps?:\/\/(?:[^:@/]+@)?\[[0-9a-f:]+\](?::\d+)?$/, {
      error: 'expected a mail server without a password, as smtps://user@mail.example.com',
    })
    .describe('the mail server, without the password: smtps://user@mail.example.com'),
  password: source.optional().describe('where the password is'),
  from: text.describe('the sender'),
  to: z.array(text).min(1).max(100).describe('who gets it'),
});

const KINDS = {
  log: z.strictObject({}).nullable().describe('a line of the log on stderr'),
  webhook: webhookSchema.describe('a CloudEvent in JSON'),
  slack: slackSchema.describe('a message in a channel of Slack, Mattermost or Rocket.Chat'),
  mail: mailSchema.describe('a mail of plain text'),
  command: z
    .array(z.string().refine((word) => !word.includes('\0'), { error: 'expected words' }))
    .min(1)
    .describe('a program that is run without a shell, the alert as JSON on its stdin'),
};

/** What an entry is told of, beside how. */
const RULES = {
  severity: z.enum(['critical']).optional().describe('only what is critical; left out: all'),
  after: span('30m').optional().describe('only what is open for so long, as 30m; left out: at once'),
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
  monitor: monitorSchema.nullish().describe('how `eventcore monitor` watches over the store'),
  notify: z
    .array(notifierSchema)
    .max(20)
    .nullish()
    .describe(
      'who is told of what the monitor and the daemon find: each entry one way; `eventcore monitor --test-alert` tries them',
    ),
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
