import { parseDocument } from 'yaml';
import { z } from 'zod';
import { BackupError } from '../../core/errors.ts';
import { CHUNK_FORMATS, COMPRESSIONS } from '../../core/manifest.ts';
import { redactText } from '../address.ts';
import {
  BACKUP_TARGETS,
  DIFFERENCE_ACTIONS,
  FLUSH_MS,
  IDLE_MS,
  OUTAGE_POLICIES,
  PARALLEL,
  parseRate,
  parseSize,
} from '../arguments.ts';
import { allowedInDisaster, disasterSchema } from '../disaster/schema.ts';
import { drillSchema } from '../drill/schema.ts';
import { allowedInFleet, fleetSchema, labelsSchema } from '../fleet/schema.ts';
import { allowedInMonitor, monitorShape } from '../monitor/schema.ts';
import { queueSchema } from '../queue/schema.ts';
import { allowedInServe, serveSchema } from '../serve/schema.ts';
import { allowedInLayouts, layoutsSchema } from './layouts-schema.ts';
import { allowedInPolicy, policyShape } from './policy-schema.ts';
import { allowedInShards, shardsSchema } from './shards-schema.ts';

/** What may stand in a configuration file. */
const backupSchema = z.strictObject({
  format: z.enum(CHUNK_FORMATS).optional().meta({
    description:
      'how chunks are written: smallest and fastest, so that zstdcat and jq can read them, or MessagePack',
    default: 'columns',
  }),
  compression: z
    .enum(COMPRESSIONS)
    .optional()
    .meta({ description: 'how chunks are compressed', default: 'zstd' }),
  level: z
    .union([z.int(), z.literal('max')], { error: 'expected number, or max' })
    .optional()
    .meta({ description: 'gzip 1 to 9, zstd 1 to 19; max: smallest, much slower', default: 1 }),
  on_difference: z.enum(DIFFERENCE_ACTIONS).optional().meta({
    description:
      'what an incremental backup does when the store has lost or changed what was backed up: stop and say so, or take a full backup',
    default: 'alarm',
  }),
  target: z.enum(BACKUP_TARGETS).optional().meta({
    description: 'which server is read: prefer-standby takes the primary where the standby cannot be read',
    default: 'primary',
  }),
  parallel: z
    .int()
    .min(PARALLEL.min)
    .max(PARALLEL.max)
    .optional()
    .describe('parts that are worked on at once; left out: as many as there are processors, at most 4'),
});

const changeLogSchema = z.strictObject({
  flush_ms: z.int().min(FLUSH_MS.min).max(FLUSH_MS.max).optional().meta({
    description: 'how long a commit may wait before it is written to the vault',
    default: FLUSH_MS.default,
  }),
  idle_ms: z
    .int()
    .min(IDLE_MS.min)
    .max(IDLE_MS.max)
    .optional()
    .meta({ description: 'how often the log says that nothing was committed', default: IDLE_MS.default }),
  on_outage: z.enum(OUTAGE_POLICIES).optional().meta({
    description:
      'while the vault cannot be written: let the store hold what was not archived, spool it to a local vault, or let the store drop it beyond the limit and mark a gap',
    default: 'hold',
  }),
  outage_limit: z
    .string()
    .refine((text) => parseSize(text) !== null, { error: 'expected a size, as 500MB or 20GB' })
    .optional()
    .meta({
      description: 'how much is spooled, or kept by the store before it is dropped',
      default: '10GB',
      title: 'size',
    }),
  spool: z
    .string()
    .min(1)
    .optional()
    .describe('a local vault where files are put aside, for `on_outage: spool`'),
});

const signer = z
  .string()
  .regex(/^ed25519:[A-Za-z0-9_-]{43}$/, { error: 'expected the name of a signer, as ed25519:…' });

const encryptionSchema = z.strictObject({
  recipients: z
    .array(z.string().min(1))
    .optional()
    .describe('who can open what is sealed: age1… (from `eventcore keys generate`), or keys of AWS KMS'),
  passphrase: z
    .string()
    .min(1)
    .optional()
    .describe(
      'where the passphrase is that backups are sealed with, and opened: file:PATH, env:NAME or command:LINE',
    ),
  identities: z
    .array(z.string().min(1))
    .optional()
    .describe('where what opens is; a host that only takes backups needs none, and is safer without'),
  sign_key: z
    .string()
    .min(1)
    .optional()
    .describe('where the key is that signs what this host writes, and lets it go on without an identity'),
  trusted_signers: z.array(signer).optional().describe('whose signatures count; left out: any that is sound'),
  require_signature: z
    .boolean()
    .optional()
    .meta({ description: 'refuse what none of them signed', default: false }),
});

/** A key whose whole content is commented out has the value null in YAML: as if it were not there. */
export const configSchema = z.strictObject({
  store: z
    .string()
    .min(1)
    .nullish()
    .describe(
      'where the events live: sqlite:./events.db, or postgres://user@host:5432/database (without the password)',
    ),
  standby: z
    .string()
    .min(1)
    .nullish()
    .describe('a hot standby of a PostgreSQL store, which backups may read (`backup.target`)'),
  vault: z
    .string()
    .min(1)
    .nullish()
    .describe('where backups live: a directory, or s3://bucket/prefix; left out: `primary.storage`'),
  backup: backupSchema.nullish().describe('how `eventcore backup` works'),
  change_log: changeLogSchema.nullish().describe('how `eventcore archive` captures the change log'),
  encryption: encryptionSchema
    .nullish()
    .describe(
      'sealed and signed backups; a secret is named by where it is: file:PATH, env:NAME or command:LINE. Nothing is sealed while no recipient and no passphrase is named',
    ),
  rate_limit: z
    .string()
    .refine((text) => parseRate(text) !== null, { error: 'expected a rate of at least 100kB/s, as 50MB/s' })
    .nullish()
    .meta({
      title: 'rate',
      description:
        'how fast a command may read from a vault, and write into it, as 50MB/s; left out: no limit',
    }),
  drill: drillSchema
    .nullish()
    .describe('restores that are made only to see that they work, by `eventcore drill`'),
  serve: serveSchema
    .nullish()
    .describe('what `eventcore serve` does, and when, and who gets into its console'),
  queue: queueSchema
    .nullish()
    .describe('where workers on other machines take their jobs from (`eventcore worker`)'),
  disaster: disasterSchema
    .nullish()
    .describe('regions whose servers can take over from one another, for `eventcore dr`'),
  layouts: layoutsSchema
    .nullish()
    .describe('tables that no layout of this program knows, each by the name that `?layout=` gives it'),
  shards: shardsSchema
    .nullish()
    .describe('stores whose streams lie on several servers, each by the name that `shards:NAME` gives it'),
  extends: z
    .string()
    .min(1)
    .nullish()
    .describe('a file with what this one does not say; `{name}` and `{labels.…}` there are of this store'),
  labels: labelsSchema.nullish().describe('what the store is told apart by in a fleet, as team: billing'),
  fleet: fleetSchema
    .nullish()
    .describe('this file is what the stores of a fleet have in common (docs/fleets.md)'),
  ...policyShape,
  ...monitorShape,
});

export type BackupSettings = z.infer<typeof backupSchema>;
export type EncryptionSettings = z.infer<typeof encryptionSchema>;
export type ChangeLogSettings = z.infer<typeof changeLogSchema>;

/** Reads a configuration file; every unknown key is refused. Throws `config_invalid`. */
export function parseConfig(text: string, path: string): z.infer<typeof configSchema> {
  return parseConfigValue(readConfigText(text, path).value, path);
}

/** As `parseConfig`, of what was read of a file, or put together. */
export function parseConfigValue(value: unknown, path: string): z.infer<typeof configSchema> {
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw schemaFault(path, parsed.error.issues[0]!);
}

/** The configuration itself: of a file, or of a ConfigMap of Kubernetes that holds it as a text. Throws `config_invalid` for what is no YAML. */
export function readConfigText(
  text: string,
  path: string,
): { readonly text: string; readonly value: unknown } {
  const value = parseYaml(text, path);
  const inner = innerText(value);
  if (inner === null) return { text, value };
  return { text: inner.text, value: parseYaml(inner.text, `${path} (${inner.name})`) };
}

/** As the specification calls it, and as `eventcore init --kubernetes` does. */
const INNER_NAMES = ['backup-policy.yaml', 'eventcore.config.yaml'];

function innerText(value: unknown): { readonly name: string; readonly text: string } | null {
  const { kind, data } = value as { readonly kind?: unknown; readonly data?: Record<string, unknown> };
  if (kind !== 'ConfigMap' || typeof data !== 'object' || data === null) return null;
  const name = INNER_NAMES.find((known) => typeof data[known] === 'string');
  return name === undefined ? null : { name, text: data[name] as string };
}

function parseYaml(text: string, path: string): unknown {
  const document = parseDocument(text, { prettyErrors: true });
  const [fault] = document.errors;
  if (fault !== undefined) throw yamlFault(path, fault.message, fault.linePos?.[0]);
  try {
    return document.toJS() ?? {};
  } catch (cause) {
    throw yamlFault(path, cause instanceof Error ? cause.message : String(cause));
  }
}

/** The first line only: the others show the source, and that may hold a password. */
function yamlFault(path: string, message: string, place?: { line: number; col: number }): BackupError {
  const reason = redactText(message.split('\n')[0]!.replace(/( at line \d+, column \d+)?:?$/, ''));
  const at = place === undefined ? '' : `:${place.line}:${place.col}`;
  return new BackupError('config_invalid', `${path}${at} is not valid YAML: ${reason}`, {
    hint: 'correct it, or begin anew with `eventcore init --force`',
  });
}

type Issue = z.core.$ZodIssue;

function schemaFault(path: string, issue: Issue): BackupError {
  const place = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const key = [...issue.path, issue.keys[0]].join('.');
    return new BackupError('config_invalid', `${path}: unknown key \`${key}\``, {
      hint: `allowed ${place === '' ? 'at the top' : `in \`${place}\``}: ${allowedKeys(issue.path).join(', ')}`,
    });
  }
  return new BackupError(
    'config_invalid',
    `${path}: ${place === '' ? 'the file' : `\`${place}\``} is not valid: ${reasonOf(issue)}`,
    { hint: 'correct it, or begin anew with `eventcore init --force`' },
  );
}

const SECTIONS: Readonly<Record<string, { readonly shape: object }>> = {
  backup: backupSchema,
  change_log: changeLogSchema,
  encryption: encryptionSchema,
  drill: drillSchema,
  queue: queueSchema,
};

function allowedKeys(path: readonly PropertyKey[]): string[] {
  const section = SECTIONS[String(path[0])] ?? configSchema;
  return (
    allowedInPolicy(path) ??
    allowedInMonitor(path) ??
    allowedInServe(path) ??
    allowedInDisaster(path) ??
    allowedInLayouts(path) ??
    allowedInShards(path) ??
    allowedInFleet(path) ??
    Object.keys(section.shape)
  );
}

function reasonOf(issue: Issue): string {
  if (issue.code === 'invalid_value') return `it must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  return issue.message.replace(/^Invalid input: /, '').replace(/^./, (letter) => letter.toLowerCase());
}
