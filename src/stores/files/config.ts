import path from 'node:path';
import { BackupError } from '../../core/errors.ts';

export interface FilesConfig {
  /** As it was given. */
  readonly address: string;
  /** Absolute. */
  readonly root: string;
  /** `accept`: transactions that are damaged are read as EventCore reads them, which leaves them out. Else they are refused. */
  readonly damaged: 'refuse' | 'accept';
  /** `none`: whoever runs this says that nothing else writes here; the store's lock is not taken. */
  readonly writers: 'locked-out' | 'none';
  /** `none`: transactions are written without waiting for the disk, for stores that are thrown away. */
  readonly fsync: 'full' | 'none';
}

/** What an address may say, each with its only value. */
const OPTIONS: Readonly<Record<string, string>> = { damaged: 'accept', writers: 'none', fsync: 'none' };

const SCHEME = /^eventcore-fs:/i;
const EXAMPLE = 'write it as eventcore-fs:./events';

/**
 * Reads `eventcore-fs:./path`, `eventcore-fs:/srv/app/store` or `eventcore-fs:///srv/app/store`, all with an optional
 * `?damaged=accept`, `?writers=none` and `?fsync=none`. The path is taken as it is, without percent decoding. Throws `usage`.
 */
export function parseFilesAddress(address: string): FilesConfig {
  if (!SCHEME.test(address)) throw badAddress(address, 'it does not begin with eventcore-fs:');
  const rest = address.replace(SCHEME, '');
  const query = rest.includes('?') ? rest.indexOf('?') : rest.length;
  const folder = rest.slice(0, query).replace(/^\/\/(?=\/)/, '');
  if (folder === '' || folder.includes('\0')) throw badAddress(address, 'it names no folder');
  if (folder.startsWith('//')) throw badAddress(address, 'it names another host');
  const options = new URLSearchParams(rest.slice(query + 1));
  for (const [name, value] of options) {
    if (!Object.hasOwn(OPTIONS, name) || OPTIONS[name] !== value)
      throw badAddress(address, `it has an unknown option ${name}=${value}`);
  }
  return {
    address,
    root: path.resolve(folder),
    damaged: options.has('damaged') ? 'accept' : 'refuse',
    writers: options.has('writers') ? 'none' : 'locked-out',
    fsync: options.has('fsync') ? 'none' : 'full',
  };
}

function badAddress(address: string, reason: string): BackupError {
  return new BackupError('usage', `not the address of a store: ${JSON.stringify(address)}: ${reason}`, {
    hint: EXAMPLE,
  });
}
