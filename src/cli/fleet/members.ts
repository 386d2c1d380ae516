import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { loadSettings, type Settings, type SettingsSources } from '../config/config.ts';
import { searchedServers } from './found.ts';

/** Who belongs to a fleet: a folder with a configuration for each store, beside what they have in common, and one for each that was found. */

/** Configurations that have the section `fleet`. */
export interface FleetSettings extends Settings {
  readonly fleet: NonNullable<Settings['fleet']>;
  readonly file: string;
}

export function isFleet(settings: Settings): settings is FleetSettings {
  return settings.fleet !== null && settings.file !== null;
}

/** Throws `usage` where the configuration is of no fleet, or an address is given that would count for all of its stores. */
export function requireFleet(
  settings: Settings,
  { flags, env }: Omit<SettingsSources, 'cwd'>,
): FleetSettings {
  if (!isFleet(settings)) {
    throw new BackupError('usage', `${settings.file ?? 'no configuration'} is of no fleet`, {
      hint: 'name what its stores have in common, as --config fleet.yaml with a section `fleet:` (docs/fleets.md)',
    });
  }
  const named = [
    ...[flags.store && '--store', flags.vault && '--vault'],
    ...[env.EVENTCORE_STORE && 'EVENTCORE_STORE', env.EVENTCORE_VAULT && 'EVENTCORE_VAULT'],
  ].find((one) => one);
  if (named === undefined) return settings;
  throw new BackupError('usage', `${named} would count for each store of the fleet`, {
    hint: 'leave it out: each store has its own addresses in its configuration',
  });
}

/** Where the configurations are that somebody wrote. */
export function fleetFolder({ fleet, file }: FleetSettings): string {
  return resolve(dirname(file), fleet.folder ?? 'stores');
}

/**
 * All configurations of a fleet: those that somebody wrote, then those of databases that were found. `known`: what counts of a folder that
 * is not there, and need not be. Throws `config_invalid` where one cannot be read.
 */
export async function listFleet(
  settings: FleetSettings,
  known: (folder: string) => readonly string[] = () => [],
): Promise<string[]> {
  const searched = searchedServers(settings);
  // Of who lets stores be found there need not be any other.
  const isNeeded = searched.length === 0 || settings.fleet.folder !== undefined;
  const files = await (isNeeded
    ? listMembers(fleetFolder(settings))
    : listIfThere(fleetFolder(settings), known));
  for (const { folder } of searched) files.push(...(await listIfThere(folder, known)));
  return files;
}

async function listIfThere(folder: string, known: (folder: string) => readonly string[]): Promise<string[]> {
  try {
    return await listMembers(folder);
  } catch (error) {
    const { code } = (isBackupError(error) ? error.cause : error) as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [...known(folder)];
    throw error;
  }
}

/**
 * The configurations in a folder, in the order of their names. Files that begin with a point are left out, as those that mounted ConfigMaps of
 * Kubernetes are kept in. Throws `config_invalid` where the folder cannot be read.
 */
async function listMembers(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'))
      .sort()
      .map((name) => join(folder, name));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new BackupError(
      'config_invalid',
      `cannot read ${folder}, which holds the stores of the fleet (${code ?? 'unknown'})`,
      {
        hint: 'each store has a file in the folder that `fleet.folder` names (docs/fleets.md)',
        cause,
      },
    );
  }
}

/** The configuration of one store of a fleet. Throws `config_invalid`. */
export async function readMember(
  file: string,
  { env, cwd }: Pick<SettingsSources, 'env' | 'cwd'>,
): Promise<Settings> {
  const settings = await loadSettings({ flags: { config: file }, env, cwd });
  if (settings.fleet === null) return settings;
  throw new BackupError(
    'config_invalid',
    `${file} has a section \`fleet\`, and is to be one store of a fleet`,
    {
      hint: 'it stands in what the stores have in common',
    },
  );
}
