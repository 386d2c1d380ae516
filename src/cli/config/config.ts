import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { CustomMappings } from '../../core/custom-mapping.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { RegionPolicy } from '../../core/region-policy.ts';
import type { PolicyFinding } from '../../policy/contradictions.ts';
import { resolveStoreAddress, resolveVaultAddress } from '../address.ts';
import { parseRate } from '../arguments.ts';
import type { DisasterRead, DisasterSettings, DisasterSource } from '../disaster/config.ts';
import type { DisasterSection } from '../disaster/schema.ts';
import type { DrillSection } from '../drill/schema.ts';
import type { FleetSection } from '../fleet/schema.ts';
import type { MonitorSettings, NotifierSettings } from '../monitor/schema.ts';
import type { QueueSection } from '../queue/schema.ts';
import type { ServeSection } from '../serve/schema.ts';
import type { CommonFile } from './common.ts';
import type { BackupSettings, ChangeLogSettings, EncryptionSettings } from './file.ts';
import type { LayoutsSection } from './layouts-schema.ts';
import type { PolicyRead } from './policy-file.ts';
import type { PolicySections } from './policy-schema.ts';
import type { ShardsSection } from './shards-schema.ts';

export const CONFIG_NAME = 'eventcore.config.yaml';

/** What a run works with, after flags, environment and file have been put over each other. */
export interface Settings {
  /** Addresses, null where none is given. They may hold a password. */
  readonly store: string | null;
  readonly vault: string | null;
  /** A hot standby of the store; may hold a password too. */
  readonly standby: string | null;
  /** Event stores that nobody knows, by the names that `?layout=` gives them. */
  readonly layouts: CustomMappings;
  /** Stores of several shards, by the names that `shards:NAME` gives them. */
  readonly shards: ShardsSection;
  readonly backup: BackupSettings;
  readonly changeLog: ChangeLogSettings;
  /** For whom is sealed, and where secrets are; paths as they stand there. */
  readonly encryption: EncryptionSettings;
  /** Bytes per second into and out of a vault; null where nothing limits them. */
  readonly rateLimit: number | null;
  /** Copies in other regions, archive and retention; null where the file says nothing of them. */
  readonly policy: RegionPolicy | null;
  /** What in the policy is worth a look; what would lose something is refused. */
  readonly policyWarnings: readonly PolicyFinding[];
  /** How restores are tried out; paths as they stand there. */
  readonly drill: DrillSection;
  /** What the daemon does, and when. */
  readonly serve: ServeSection;
  /** Where others take jobs from; the address may hold a password, where the key is as it stands there. */
  readonly queue: QueueSection;
  /** Regions, servers and how one takes over from another; null where the file says nothing of them. */
  readonly disaster: DisasterSettings | null;
  readonly disasterWarnings: DisasterRead['warnings'];
  readonly monitor: MonitorSettings;
  /** Whom the monitor tells; where secrets are, as it stands there. */
  readonly notify: readonly NotifierSettings[];
  readonly labels: Readonly<Record<string, string>>;
  /** The file is what stores of a fleet have in common, and of no store; null: it is of one. */
  readonly fleet: FleetSection | null;
  /** The file that was read, null when there is none. */
  readonly file: string | null;
  /** What that one extends; null: nothing. */
  readonly common: CommonFile | null;
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
export async function loadSettings(sources: SettingsSources): Promise<Settings> {
  const { path, required } = configPath(sources);
  return settingsOf(readConfig(path, required), path, sources);
}

/** As `loadSettings`, of a text as if it stood in the file of that path; null: there is none. */
export async function settingsOf(
  text: string | null,
  path: string,
  { flags, env }: Pick<SettingsSources, 'flags' | 'env'>,
): Promise<Settings> {
  // What reads and checks it takes longer to load than all the rest: only where there is a file.
  const { config, common } =
    text === null ? { config: {}, common: null } : (await import('./common.ts')).parseWithCommon(text, path);
  const folder = dirname(path);
  const inFile = (address: string | null | undefined, seenFrom: typeof resolveStoreAddress): string | null =>
    address == null ? null : naming(path, () => seenFrom(address, folder));
  const vaultInFile = inFile(config.vault, resolveVaultAddress);
  const read = await policyOf(config, path, vaultInFile, (address) => inFile(address, resolveVaultAddress)!);
  const disaster = await disasterOf(config.disaster, {
    ...{ path, policy: read?.policy ?? null },
    resolveVault: (address) => inFile(address, resolveVaultAddress)!,
    resolveStore: (address) => inFile(address, resolveStoreAddress)!,
  });
  return {
    store: flags.store ?? (env.EVENTCORE_STORE || inFile(config.store, resolveStoreAddress)),
    vault: flags.vault ?? (env.EVENTCORE_VAULT || (vaultInFile ?? read?.policy.primary.storage ?? null)),
    standby: inFile(config.standby, resolveStoreAddress),
    layouts: await layoutsOf(config.layouts),
    shards: config.shards ?? {},
    backup: config.backup ?? {},
    changeLog: changeLogOf(config.change_log ?? {}, (address) => inFile(address, resolveVaultAddress)),
    encryption: config.encryption ?? {},
    monitor: config.monitor ?? {},
    notify: config.notify ?? [],
    rateLimit: config.rate_limit == null ? null : parseRate(config.rate_limit),
    policy: read?.policy ?? null,
    policyWarnings: read?.warnings ?? [],
    drill: config.drill ?? {},
    serve: config.serve ?? {},
    queue: config.queue ?? {},
    disaster: disaster?.disaster ?? null,
    disasterWarnings: disaster?.warnings ?? [],
    labels: config.labels ?? {},
    fleet: config.fleet ?? null,
    file: text === null ? null : path,
    common,
  };
}

/** To read schedules takes a while too: only where there is a policy. */
async function policyOf(
  sections: PolicySections,
  path: string,
  vault: string | null,
  resolve: (address: string) => string,
): Promise<PolicyRead | null> {
  const { primary, replicas, archive, objectives } = sections;
  if ([primary, replicas, archive, objectives].every((section) => section == null)) return null;
  const { readPolicy } = await import('./policy-file.ts');
  return readPolicy(sections, { path, vault, resolve, nowMs: Date.now() });
}

async function layoutsOf(section: LayoutsSection | null | undefined): Promise<CustomMappings> {
  return section == null ? {} : (await import('./layouts-schema.ts')).mappingsOf(section);
}

async function disasterOf(
  section: DisasterSection | null | undefined,
  source: DisasterSource,
): Promise<DisasterRead | null> {
  return section == null ? null : (await import('../disaster/config.ts')).readDisaster(section, source);
}

function changeLogOf(
  { spool, ...rest }: ChangeLogSettings,
  resolved: (address: string) => string | null,
): ChangeLogSettings {
  return spool === undefined ? rest : { ...rest, spool: resolved(spool)! };
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
  if (settings.fleet !== null) {
    throw new BackupError(
      'usage',
      `${settings.file ?? CONFIG_NAME} is what the stores of a fleet have in common`,
      {
        hint: `name the configuration of one of them, as --config ${settings.fleet.folder ?? 'stores'}/NAME.yaml`,
      },
    );
  }
  const address = settings[what];
  if (address !== null) return address;
  throw new BackupError('usage', `no ${what} is named`, {
    hint: `pass --${what} ADDRESS, set EVENTCORE_${what.toUpperCase()}, or write \`${what}:\` into ${CONFIG_NAME}`,
  });
}

/** The policy that a command acts on, once what is worth a look in it has been said. Throws `usage` when there is none. */
export function requirePolicy(settings: Settings, warn: (message: string) => void): RegionPolicy {
  const { policy, policyWarnings } = settings;
  if (policy === null) {
    throw new BackupError('usage', 'no policy says where copies are and how long what stays', {
      hint: `write \`primary:\` and what else is wanted into ${settings.file ?? CONFIG_NAME} (docs/policy.md)`,
    });
  }
  warnOfPolicy(policyWarnings, warn);
  return policy;
}

/** What a recovery works with. Throws `usage` when the configuration does not say. */
export function requireDisaster(settings: Settings, warn: (message: string) => void): DisasterSettings {
  const { disaster, disasterWarnings } = settings;
  if (disaster === null) {
    throw new BackupError('usage', 'the configuration says nothing of disaster recovery', {
      hint: `write \`disaster:\` with its regions into ${settings.file ?? CONFIG_NAME} (docs/disaster-recovery.md)`,
      facts: { missing: 'disaster' },
    });
  }
  for (const { message, hint } of disasterWarnings) warn(`disaster: ${message}; ${hint}`);
  return disaster;
}

/** For a command that acts on a part of the policy. */
export function warnOfPolicy(warnings: Settings['policyWarnings'], warn: (message: string) => void): void {
  for (const { message, hint } of warnings) warn(`policy: ${message}; ${hint}`);
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
