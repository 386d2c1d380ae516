import { posix } from 'node:path';
import { BackupError } from '../../core/errors.ts';
import type { ClaimedVolume } from '../../kubernetes/render/wanted.ts';
import { storeScheme, vaultPath, vaultScheme } from '../address.ts';
import type { Settings } from '../config/config.ts';

/** Folders that a configuration keeps something in. A pod keeps nothing: each must lie in a volume. */

interface Place {
  /** In words, with where it stands: "the vault". */
  readonly what: string;
  readonly path: string;
  /** Nothing is missed there once the pod is gone. */
  readonly isTemporary?: true;
}

const TEMPORARY = '/tmp';

/** Throws `config_invalid` for what no volume would keep. */
export function requireVolumes(settings: Settings, volumes: readonly ClaimedVolume[]): void {
  for (const { what, path, isTemporary } of placesOf(settings)) {
    const isKept = volumes.some((volume) => isWithin(path, volume.path));
    if (isKept || (isTemporary && isWithin(path, TEMPORARY))) continue;
    throw new BackupError('config_invalid', `${what} is in ${path}, and a pod keeps no folder`, {
      hint: `mount a PersistentVolumeClaim that is there with --volume ${posix.dirname(path)}=CLAIM, or use a bucket or a server instead`,
      facts: { path },
    });
  }
}

export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function placesOf(settings: Settings): Place[] {
  const { store, standby, vault, policy, changeLog, serve, drill } = settings;
  return [
    ...storePlace('the store', store),
    ...storePlace('the standby', standby),
    ...vaultPlace('the vault', vault),
    ...(policy?.replicas ?? []).flatMap(({ region, storage }) =>
      vaultPlace(`the replica ${region}`, storage),
    ),
    ...vaultPlace('the archive', policy?.archive?.storage ?? null),
    ...vaultPlace('`change_log.spool`', changeLog.spool ?? null),
    ...(serve.audit_log === undefined ? [] : [{ what: '`serve.audit_log`', path: serve.audit_log }]),
    ...(serve.restore_to ?? []).flatMap((place) =>
      'sqlite' in place && typeof place.sqlite === 'string'
        ? [{ what: '`serve.restore_to`', path: place.sqlite }]
        : [],
    ),
    ...storePlace('`drill.target`', folderTarget(drill.target)).map((place) => ({
      ...place,
      isTemporary: true as const,
    })),
  ];
}

function folderTarget(target: string | undefined): string | null {
  return target?.startsWith('sqlite:') ? target : null;
}

function storePlace(what: string, address: string | null): Place[] {
  if (address === null || storeScheme(address) === 'postgres') return [];
  const path = address.slice(address.indexOf(':') + 1).split('?')[0]!;
  return [{ what, path: path.replace(/^\/\/(?=\/)/, '') }];
}

function vaultPlace(what: string, address: string | null): Place[] {
  if (address === null || vaultScheme(address) !== 'file') return [];
  return [{ what, path: vaultPath(address) }];
}
