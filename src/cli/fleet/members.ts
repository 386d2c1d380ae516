import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { BackupError } from '../../core/errors.ts';
import { loadSettings, type Settings, type SettingsSources } from '../config/config.ts';

/** Who belongs to a fleet: a folder with a configuration for each store, beside what they have in common. */

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

export function fleetFolder({ fleet, file }: FleetSettings): string {
  return resolve(dirname(file), fleet.folder ?? 'stores');
}

/**
 * The configurations of a fleet, in the order of their names. Files that begin with a point are left out, as those that mounted ConfigMaps of
 * Kubernetes are kept in. Throws `config_invalid` where the folder cannot be read.
 */
export async function listMembers(folder: string): Promise<string[]> {
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
