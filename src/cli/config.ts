import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { BackupError, isBackupError } from '../core/errors.ts';
import { CHUNK_FORMATS, COMPRESSIONS } from '../core/manifest.ts';
import { redactText, resolveStoreAddress, resolveVaultAddress } from './address.ts';

export const CONFIG_NAME = 'eventcore.config.yaml';

export const PARALLEL = { min: 1, max: 64 } as const;

const backupSchema = z.strictObject({
  format: z.enum(CHUNK_FORMATS).optional(),
  compression: z.enum(COMPRESSIONS).optional(),
  level: z.int().optional(),
  parallel: z.int().min(PARALLEL.min).max(PARALLEL.max).optional(),
});

/** A key whose whole content is commented out has the value null in YAML: as if it were not there. */
const configSchema = z.strictObject({
  store: z.string().min(1).nullish(),
  vault: z.string().min(1).nullish(),
  backup: backupSchema.nullish(),
});

/** Keys of a region's policy; they belong to a configuration that this version does not read. */
const POLICY_KEYS = ['primary', 'replicas', 'archive'];

export type BackupSettings = z.infer<typeof backupSchema>;

/** What a run works with, after flags, environment and file have been put over each other. */
export interface Settings {
  /** Addresses, null where none is given. They may hold a password. */
  readonly store: string | null;
  readonly vault: string | null;
  readonly backup: BackupSettings;
  /** The file that was read, null when there is none. */
  readonly file: string | null;
}

export interface SettingsSources {
  readonly flags: { readonly config?: string; readonly store?: string; readonly vault?: string };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** Where the configuration is looked for, and whether it must be there. */
export function configPath({ flags, env, cwd }: SettingsSources): { path: string; required: boolean } {
  const named = flags.config ?? (env.EVENTCORE_CONFIG || undefined);
  return named === undefined
    ? { path: join(cwd, CONFIG_NAME), required: false }
    : { path: resolve(cwd, named), required: true };
}

/**
 * Flags beat EVENTCORE_STORE and EVENTCORE_VAULT, these beat the file. Relative paths are seen from the working
 * directory, those in the file from the file's folder. Throws `config_invalid`, or `usage` for an address.
 */
export function loadSettings(sources: SettingsSources): Settings {
  const { flags, env } = sources;
  const { path, required } = configPath(sources);
  const text = readConfig(path, required);
  const config = text === null ? {} : parseConfig(text, path);
  const folder = dirname(path);
  const inFile = (address: string | null | undefined, seenFrom: typeof resolveStoreAddress): string | null =>
    address == null ? null : naming(path, () => seenFrom(address, folder));
  return {
    store: flags.store ?? (env.EVENTCORE_STORE || inFile(config.store, resolveStoreAddress)),
    vault: flags.vault ?? (env.EVENTCORE_VAULT || inFile(config.vault, resolveVaultAddress)),
    backup: config.backup ?? {},
    file: text === null ? null : path,
  };
}

/** Says in which file a faulty address stands. */
function naming<Result>(path: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    if (!isBackupError(cause, 'usage')) throw cause;
    const hint = cause.hint ?? `correct it in ${path}`;
    throw new BackupError('config_invalid', `${path}: ${cause.message}`, { hint, cause });
  }
}

/** The address that a command needs. Throws `usage` when nothing names one. */
export function requireAddress(settings: Settings, what: 'store' | 'vault'): string {
  const address = settings[what];
  if (address !== null) return address;
  throw new BackupError('usage', `no ${what} is named`, {
    hint: `pass --${what} ADDRESS, set EVENTCORE_${what.toUpperCase()}, or write \`${what}:\` into ${CONFIG_NAME}`,
  });
}

function readConfig(path: string, required: boolean): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !required) return null;
    throw new BackupError('config_invalid', `cannot read the configuration ${path} (${code ?? 'unknown'})`, {
      hint: code === 'ENOENT' ? '`eventcore init` writes one' : 'check that it is a file and may be read',
      cause,
    });
  }
}

/** Reads a configuration file; every unknown key is refused. Throws `config_invalid`. */
export function parseConfig(text: string, path: string): z.infer<typeof configSchema> {
  const document = parseDocument(text, { prettyErrors: true });
  const [fault] = document.errors;
  if (fault !== undefined) throw yamlFault(path, fault.message, fault.linePos?.[0]);
  let value: unknown;
  try {
    value = document.toJS() ?? {};
  } catch (cause) {
    throw yamlFault(path, cause instanceof Error ? cause.message : String(cause));
  }
  refusePolicy(value, path);
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw schemaFault(path, parsed.error.issues[0]!);
}

/** The first line only: the others show the source, and that may hold a password. */
function yamlFault(path: string, message: string, place?: { line: number; col: number }): BackupError {
  const reason = redactText(message.split('\n')[0]!.replace(/( at line \d+, column \d+)?:?$/, ''));
  const at = place === undefined ? '' : `:${place.line}:${place.col}`;
  return new BackupError('config_invalid', `${path}${at} is not valid YAML: ${reason}`, {
    hint: 'correct it, or begin anew with `eventcore init --force`',
  });
}

function refusePolicy(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) return;
  const found = POLICY_KEYS.find((key) => Object.hasOwn(value, key));
  if (found === undefined) return;
  throw new BackupError(
    'config_invalid',
    `${path}: the policy of a region (\`${found}\`) is not read by this version`,
    { hint: `remove ${POLICY_KEYS.map((key) => `\`${key}\``).join(', ')}; nothing would act on them` },
  );
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

function allowedKeys(path: readonly PropertyKey[]): string[] {
  return Object.keys(path[0] === 'backup' ? backupSchema.shape : configSchema.shape);
}

function reasonOf(issue: Issue): string {
  if (issue.code === 'invalid_value') return `it must be one of ${issue.values.map(String).join(', ')}`;
  return issue.message.replace(/^Invalid input: /, '').replace(/^./, (letter) => letter.toLowerCase());
}
