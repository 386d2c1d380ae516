import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { RegionPolicy } from '../core/region-policy.ts';
import { resolveStoreAddress, resolveVaultAddress } from './address.ts';
import type { BackupSettings, ChangeLogSettings, EncryptionSettings } from './config-file.ts';

export const CONFIG_NAME = 'eventcore.config.yaml';

/** What a run works with, after flags, environment and file have been put over each other. */
export interface Settings {
  /** Addresses, null where none is given. They may hold a password. */
  readonly store: string | null;
  readonly vault: string | null;
  /** A hot standby of the store; may hold a password too. */
  readonly standby: string | null;
  readonly backup: BackupSettings;
  readonly changeLog: ChangeLogSettings;
  /** For whom is sealed, and where secrets are; paths as they stand there. */
  readonly encryption: EncryptionSettings;
  /** Copies in other regions, archive and retention; null where the file says nothing of them. */
  readonly policy: RegionPolicy | null;
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
export async function loadSettings(sources: SettingsSources): Promise<Settings> {
  const { flags, env } = sources;
  const { path, required } = configPath(sources);
  const text = readConfig(path, required);
  // What reads and checks it takes longer to load than all the rest: only where there is a file.
  const config = text === null ? {} : (await import('./config-file.ts')).parseConfig(text, path);
  const folder = dirname(path);
  const inFile = (address: string | null | undefined, seenFrom: typeof resolveStoreAddress): string | null =>
    address == null ? null : naming(path, () => seenFrom(address, folder));
  return {
    store: flags.store ?? (env.EVENTCORE_STORE || inFile(config.store, resolveStoreAddress)),
    vault: flags.vault ?? (env.EVENTCORE_VAULT || inFile(config.vault, resolveVaultAddress)),
    standby: inFile(config.standby, resolveStoreAddress),
    backup: config.backup ?? {},
    changeLog: changeLogOf(config.change_log ?? {}, (address) => inFile(address, resolveVaultAddress)),
    encryption: config.encryption ?? {},
    policy: null,
    file: text === null ? null : path,
  };
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
