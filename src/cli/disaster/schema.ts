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
  .max(100)
  .meta({ title: 'command' });

/** Where a secret is. The secret itself is taken for a mistake, and not shown. */
const source = z
  .string()
  .regex(/^(file|env|command):/, {
    error: 'expected where the secret is: file:PATH, env:NAME or command:LINE',
  })
  .meta({ title: 'file:PATH, env:NAME or command:LINE' });

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

const recordShape = {
  name: text.describe('the name in full, as db.example.com'),
  type: z.enum(['A', 'AAAA', 'CNAME']).describe('the kind of its record'),
  ttl: z.int().min(1).max(86_400).default(30).describe('how long resolvers may keep it, in seconds'),
};

const rfc2136Shape = {
  server: z
    .string()
    .regex(/^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?$/, {
      error: 'expected host:port, as ns1.example.com:53',
    })
    .describe('host and port of the server that takes updates of the zone'),
  zone: text.describe('the zone, as example.com'),
  ...recordShape,
  key: source.describe('where the text of a key file of BIND is'),
};

const route53Shape = {
  zone_id: text.describe('id of the hosted zone'),
  ...recordShape,
};

const nameShape = {
  rfc2136: z
    .strictObject(rfc2136Shape)
    .optional()
    .describe('a zone that takes dynamic updates, as BIND, Knot and PowerDNS do'),
  route53: z
    .strictObject(route53Shape)
    .optional()
    .describe('a hosted zone of Route 53; the package `@aws-sdk/client-route-53` must be installed'),
  command: argv.optional().describe('a command, called with `read`, or with `switch FROM TO`'),
};

const clusterShape = {
  api: webAddress.optional().describe('address of the API server; left out: that of the pod it runs in'),
  token: source.optional().describe('where the token is; goes with `api`'),
  ca: text
    .optional()
    .describe('file of the certificate that the API server’s own is signed with; left out: that of the pod'),
  namespace: name.describe('where it is'),
};

const fencedShape = {
  ...clusterShape,
  cluster: name.optional().describe('a Cluster of CloudNativePG: it is fenced, or given instances'),
  workload: z
    .string()
    .regex(/^(deployment|statefulset)\/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, {
      error: 'expected deployment/NAME or statefulset/NAME',
    })
    .optional()
    .describe('instead: deployment/NAME or statefulset/NAME, scaled to zero, or to `instances`'),
};

const scaledShape = {
  ...fencedShape,
  instances: z.int().min(1).max(1000).describe('so many are wanted'),
};

const oneTarget = {
  error: 'expected either `cluster` or `workload`',
} as const;

const oneWay = { error: 'expected `api` and `token`, or neither of them in a pod' } as const;

const hasOneWay = (entry: { readonly api?: unknown; readonly token?: unknown }): boolean =>
  (entry.api === undefined) === (entry.token === undefined);

const hasOneTarget = (entry: { readonly cluster?: unknown; readonly workload?: unknown }): boolean =>
  (entry.cluster === undefined) !== (entry.workload === undefined);

const fenceShape = {
  postgres: z.strictObject({}).nullable().optional().describe('the server’s own rules; always tried too'),
  lease: z
    .strictObject({})
    .nullable()
    .optional()
    .describe('the lease of the guard beside the server is waited for and taken'),
  command: argv.optional().describe('a command that fences'),
  check: argv
    .optional()
    .describe('goes with it: says by its exit code whether the fence stands: 0, or 1 for open'),
  kubernetes: z
    .strictObject(fencedShape)
    .refine(hasOneTarget, oneTarget)
    .refine(hasOneWay, oneWay)
    .optional()
    .describe('a cluster or workload of Kubernetes'),
};

const fence = z.array(oneOf(fenceShape)).max(20).meta({
  id: 'fence',
  description: 'ways to keep an old primary from writing, each entry one; all are tried in their order',
});

const webhookShape = {
  url: secretAddress.describe('where it is posted, or where that address is'),
  secret: source.optional().describe('where the secret is that it is signed with (Standard Webhooks)'),
};

const scaleShape = {
  kubernetes: z
    .strictObject(scaledShape)
    .refine(hasOneTarget, oneTarget)
    .refine(hasOneWay, oneWay)
    .optional()
    .describe('instances of a cluster or workload of Kubernetes'),
  command: argv.optional().describe('a command that adds capacity'),
  check: argv.optional().describe('goes with it: ends with 0 once the capacity is there'),
  webhook: z.strictObject(webhookShape).optional().describe('somebody else who adds it'),
};

const rejoinSchema = z
  .strictObject({
    data: text.describe('the data directory of the old primary, on its host'),
    bin: text.describe('the folder of its programs, such as pg_ctl and pg_rewind'),
    run: argv.optional().describe('what stands before `sh`, to have it run on that host, as [ssh, HOST]'),
    source: text
      .optional()
      .describe(
        'how that host reaches the new primary, whose host and port are put in; left out: as the server’s own address says',
      ),
    env: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string())
      .optional()
      .describe('variables for the programs, such as PGPASSFILE'),
    config: text.optional().describe('postgresql.conf, where that is not in the data directory'),
    start: text.optional().describe('a line for the shell in place of pg_ctl start'),
    stop: text.optional().describe('a line for the shell in place of pg_ctl stop'),
    reclone: z.boolean().default(false).describe('it may be copied anew where it cannot be rewound'),
  })
  .meta({ id: 'rejoin', description: 'how an old primary is made a standby again' });

const value = text.optional().describe('what the public name points to when this is the primary');

const serverShape = {
  address: text.describe('of the database with the events, without the password'),
  value,
  fence: fence.optional(),
  rejoin: rejoinSchema.optional(),
};

const serverSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { address: value } : value),
  z.strictObject(serverShape),
);

const placeShape = { address: text.describe('of an empty database, without the password'), value };

const regionSchema = z.strictObject({
  region: name.describe('its name; the same as in the policy, where the vault is that region’s'),
  servers: z
    .array(serverSchema)
    .min(1, { error: 'expected at least one server' })
    .max(20)
    .describe(
      'PostgreSQL servers, by address alone or in detail; which one is the primary is asked, never configured',
    ),
  restore_to: z
    .preprocess(
      (value) => (typeof value === 'string' ? { address: value } : value),
      z.strictObject(placeShape),
    )
    .optional()
    .describe('a clean, empty database that backups are restored into, by address alone or in detail'),
  vault: text.optional().describe('its vault; left out: the storage of the policy’s region of this name'),
  value,
  health: webAddress
    .optional()
    .describe('an address of http or https: a warning where it is not well, and nothing more'),
  fence: fence.optional(),
  scale: oneOf(scaleShape).optional().describe('adds capacity where this region takes over: one of'),
  rejoin: rejoinSchema.optional(),
});

const vantageSchema = z.strictObject({
  name: name.describe('what it is called'),
  command: argv.describe(
    'prints what `eventcore dr probe --json` does there, as [ssh, HOST, eventcore, dr, probe, --json]',
  ),
});

const leaseSchema = z.strictObject({
  vault: text.describe('where the lease is: best in a place of its own'),
  ttl: duration
    .refine((ms) => ms >= 3000 && ms <= 600_000, { error: 'expected 3s to 10m' })
    .default(30_000)
    .meta({ description: 'for how long it is held: a server is closed before it ends', default: '30s' }),
});

const stepsSchema = z.strictObject(
  Object.fromEntries(
    RECOVERY_STEPS.map((step) => [step, duration.optional().describe(`the longest time for \`${step}\``)]),
  ) as Record<(typeof RECOVERY_STEPS)[number], z.ZodOptional<typeof duration>>,
);

export const disasterSchema = z.strictObject({
  public: text
    .optional()
    .describe('how applications reach the store; what is proven at the end is proven through it'),
  name: oneOf(nameShape)
    .optional()
    .describe('where the public name is kept: one of; left out: no name is switched'),
  max_data_loss: z
    .string()
    .refine((size) => parseSize(size) !== null, { error: 'expected a size, as 500kB or 1MB' })
    .transform((size) => parseSize(size)!)
    .optional()
    .meta({
      title: 'size',
      description: 'write-ahead log that may be lost; more needs --accept-data-loss',
      default: '1MB',
    }),
  probe_timeout: duration
    .refine((ms) => ms <= 60_000, { error: 'expected at most 60s' })
    .optional()
    .meta({ description: 'how long one question to one server may take', default: '3s' }),
  lock_ttl: duration
    .refine((ms) => ms >= 5000 && ms <= 600_000, { error: 'expected 5s to 10m' })
    .optional()
    .meta({
      description: 'of the lock that a run holds: a run that died keeps others out for so long',
      default: '30s',
    }),
  vantages: z.array(vantageSchema).max(20).optional().describe('other places to look from'),
  migrate: argv.optional().describe('a command that is run before the restored store is looked at'),
  lease: leaseSchema.optional().describe('the lease that a primary must hold, for the fence `lease`'),
  regions: z
    .array(regionSchema)
    .min(1, { error: 'expected at least one region' })
    .max(20)
    .describe('each place with what it has'),
  steps: stepsSchema.optional().describe('how long steps of a recovery may take'),
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
