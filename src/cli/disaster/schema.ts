import { z } from 'zod';
import { RECOVERY_STEPS } from '../../core/disaster.ts';
import { parseSize } from '../arguments.ts';
import { span } from '../config/policy-schema.ts';

/** What may stand in the section `disaster` of a configuration file. How its parts fit together, `disaster-config.ts` says. */

const duration = span('minutes', '3s, 5m (minutes) or 1h');
const text = z.string().min(1).max(1000);
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
  error: 'expected a name of letters, digits, dots, dashes and underscores',
});

const argv = z
  .array(
    z.string().refine((word) => !word.includes('\0'), { error: 'expected words' }),
    {
      error: 'expected a command as a list of words, as [ssh, host, stop-it]',
    },
  )
  .min(1, { error: 'expected a command as a list of words, as [ssh, host, stop-it]' })
  .max(100);

/** Where a secret is. The secret itself is taken for a mistake, and not shown. */
const source = z.string().regex(/^(file|env|command):/, {
  error: 'expected where the secret is: file:PATH, env:NAME or command:LINE',
});

const webAddress = z.url({ protocol: /^https?$/, error: 'expected an address of http or https' });

const secretAddress = z.string().regex(/^(https?:\/\/|file:|env:|command:)/, {
  error: 'expected an address as https://…, or where it is: file:PATH, env:NAME or command:LINE',
});

/** One of several kinds, each under its name; a kind that needs nothing said may be a bare word. */
function oneOf<Shape extends z.ZodRawShape>(kinds: Shape) {
  return z.preprocess(
    (value) => (typeof value === 'string' && Object.hasOwn(kinds, value) ? { [value]: {} } : value),
    z
      .strictObject(kinds)
      .refine((entry) => KIND_KEYS.filter((key) => Object.hasOwn(entry, key)).length === 1, {
        error: `expected one of ${Object.keys(kinds)
          .filter((key) => (KIND_KEYS as readonly string[]).includes(key))
          .join(', ')}`,
      }),
  );
}

/** Keys that say what kind an entry is; others, such as `check`, say more of it. */
const KIND_KEYS = ['rfc2136', 'route53', 'postgres', 'lease', 'command', 'kubernetes', 'webhook'] as const;

const rfc2136Shape = {
  /** Host and port of the server that takes updates of the zone. */
  server: z.string().regex(/^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?$/, {
    error: 'expected host:port, as ns1.example.com:53',
  }),
  zone: text,
  name: text,
  type: z.enum(['A', 'AAAA', 'CNAME']),
  ttl: z.int().min(1).max(86_400).default(30),
  /** The text of a key file of BIND. */
  key: source,
};

const route53Shape = {
  zone_id: text,
  name: text,
  type: z.enum(['A', 'AAAA', 'CNAME']),
  ttl: z.int().min(1).max(86_400).default(30),
};

const nameShape = {
  rfc2136: z.strictObject(rfc2136Shape).optional(),
  route53: z.strictObject(route53Shape).optional(),
  command: argv.optional(),
};

/** Left out, the API server, token and certificate are those that a pod finds in itself. */
const clusterShape = {
  api: webAddress.optional(),
  token: source.optional(),
  /** Path of the certificate that the API server's own is signed with. */
  ca: text.optional(),
  namespace: name,
};

const fencedShape = {
  ...clusterShape,
  /** A Cluster of CloudNativePG, that is fenced. */
  cluster: name.optional(),
  /** A Deployment or StatefulSet, that is scaled to zero: statefulset/NAME. */
  workload: z
    .string()
    .regex(/^(deployment|statefulset)\/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, {
      error: 'expected deployment/NAME or statefulset/NAME',
    })
    .optional(),
};

const scaledShape = { ...fencedShape, instances: z.int().min(1).max(1000) };

const oneTarget = {
  error: 'expected either `cluster` or `workload`',
} as const;

const oneWay = { error: 'expected `api` and `token`, or neither of them in a pod' } as const;

const hasOneWay = (entry: { readonly api?: unknown; readonly token?: unknown }): boolean =>
  (entry.api === undefined) === (entry.token === undefined);

const hasOneTarget = (entry: { readonly cluster?: unknown; readonly workload?: unknown }): boolean =>
  (entry.cluster === undefined) !== (entry.workload === undefined);

const fenceShape = {
  postgres: z.strictObject({}).nullable().optional(),
  lease: z.strictObject({}).nullable().optional(),
  command: argv.optional(),
  /** Says by its exit code whether the fence stands: 0, or 1 for open. */
  check: argv.optional(),
  kubernetes: z
    .strictObject(fencedShape)
    .refine(hasOneTarget, oneTarget)
    .refine(hasOneWay, oneWay)
    .optional(),
};

const fence = z.array(oneOf(fenceShape)).max(20);

const webhookShape = { url: secretAddress, secret: source.optional() };

const scaleShape = {
  kubernetes: z
    .strictObject(scaledShape)
    .refine(hasOneTarget, oneTarget)
    .refine(hasOneWay, oneWay)
    .optional(),
  command: argv.optional(),
  check: argv.optional(),
  webhook: z.strictObject(webhookShape).optional(),
};

const rejoinSchema = z.strictObject({
  /** The data directory of the old primary, on its host. */
  data: text,
  /** The folder of its programs, such as pg_ctl and pg_rewind. */
  bin: text,
  /** What stands before `sh`, to have it run on that host. */
  run: argv.optional(),
  /** How that host reaches the new primary, whose host and port are put in; left out, as the server's own address says. */
  source: text.optional(),
  /** For the programs, such as PGPASSFILE. */
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).optional(),
  /** postgresql.conf, where that is not in the data directory. */
  config: text.optional(),
  /** Lines for the shell in place of pg_ctl. */
  start: text.optional(),
  stop: text.optional(),
  /** Whether it may be cloned anew where it cannot be rewound. */
  reclone: z.boolean().default(false),
});

const serverShape = {
  address: text,
  value: text.optional(),
  fence: fence.optional(),
  rejoin: rejoinSchema.optional(),
};

const serverSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { address: value } : value),
  z.strictObject(serverShape),
);

const placeShape = { address: text, value: text.optional() };

const regionSchema = z.strictObject({
  region: name,
  servers: z.array(serverSchema).min(1, { error: 'expected at least one server' }).max(20),
  restore_to: z
    .preprocess(
      (value) => (typeof value === 'string' ? { address: value } : value),
      z.strictObject(placeShape),
    )
    .optional(),
  vault: text.optional(),
  value: text.optional(),
  health: webAddress.optional(),
  fence: fence.optional(),
  scale: oneOf(scaleShape).optional(),
  rejoin: rejoinSchema.optional(),
});

const vantageSchema = z.strictObject({ name, command: argv });

const leaseSchema = z.strictObject({
  vault: text,
  ttl: duration.refine((ms) => ms >= 3000 && ms <= 600_000, { error: 'expected 3s to 10m' }).default(30_000),
});

const deadline = duration.optional();
const stepsSchema = z.strictObject(
  Object.fromEntries(RECOVERY_STEPS.map((step) => [step, deadline])) as Record<
    (typeof RECOVERY_STEPS)[number],
    typeof deadline
  >,
);

export const disasterSchema = z.strictObject({
  public: text.optional(),
  name: oneOf(nameShape).optional(),
  max_data_loss: z
    .string()
    .refine((size) => parseSize(size) !== null, { error: 'expected a size, as 500kB or 1MB' })
    .transform((size) => parseSize(size)!)
    .optional(),
  probe_timeout: duration.refine((ms) => ms <= 60_000, { error: 'expected at most 60s' }).optional(),
  /** Of the lock that a run holds: who dies keeps others out for so long. */
  lock_ttl: duration.refine((ms) => ms >= 5000 && ms <= 600_000, { error: 'expected 5s to 10m' }).optional(),
  vantages: z.array(vantageSchema).max(20).optional(),
  migrate: argv.optional(),
  lease: leaseSchema.optional(),
  regions: z.array(regionSchema).min(1, { error: 'expected at least one region' }).max(20),
  steps: stepsSchema.optional(),
});

export type DisasterSection = z.output<typeof disasterSchema>;
export type RegionSection = DisasterSection['regions'][number];
export type FenceSettings = NonNullable<RegionSection['fence']>[number];
export type ScaleSettings = NonNullable<RegionSection['scale']>;
export type RejoinSettings = z.output<typeof rejoinSchema>;
export type NameSettings = NonNullable<DisasterSection['name']>;

const PLACES: readonly [place: RegExp, shape: object][] = [
  [/^$/, disasterSchema.shape],
  [/^name$/, nameShape],
  [/^name\.rfc2136$/, rfc2136Shape],
  [/^name\.route53$/, route53Shape],
  [/^vantages\.\d+$/, vantageSchema.shape],
  [/^lease$/, leaseSchema.shape],
  [/^steps$/, stepsSchema.shape],
  [/^regions\.\d+$/, regionSchema.shape],
  [/\.servers\.\d+$/, serverShape],
  [/\.restore_to$/, placeShape],
  [/\.fence\.\d+$/, fenceShape],
  [/\.fence\.\d+\.kubernetes$/, fencedShape],
  [/\.scale$/, scaleShape],
  [/\.scale\.kubernetes$/, scaledShape],
  [/\.scale\.webhook$/, webhookShape],
  [/\.rejoin$/, rejoinSchema.shape],
];

/** The keys that may stand at a place in this section; null for the place of another section. */
export function allowedInDisaster(path: readonly PropertyKey[]): string[] | null {
  const [section, ...rest] = path;
  if (section !== 'disaster') return null;
  const place = rest.map(String).join('.');
  const shape = PLACES.find(([pattern]) => pattern.test(place))?.[1];
  return shape === undefined ? ['nothing'] : Object.keys(shape);
}
