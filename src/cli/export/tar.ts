import { BackupError } from '../../core/errors.ts';

/** The parts of a tar file (POSIX.1-2017, pax interchange format) that regular files of ours need. */

export interface TarEntry {
  readonly name: string;
  readonly sizeBytes: number;
  /** Seconds since 1970. */
  readonly modifiedAtS: number;
}

export const TAR_BLOCK_BYTES = 512;
/** Two blocks of nothing: without them a reader knows that the end is missing. */
export const TAR_END = new Uint8Array(2 * TAR_BLOCK_BYTES);

/** Octal digits of the field that the size has: what is larger stands in a record before it. */
const MOST_SIZE = 8 ** 11 - 1;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
/** Its owner's alone, as in a vault. */
const MODE = 0o600;

/** What stands before a file's bytes. Behind them comes `tarPadding`. */
export function tarHeader({ name, sizeBytes, modifiedAtS }: TarEntry): Uint8Array {
  if (sizeBytes <= MOST_SIZE) return block(name, sizeBytes, modifiedAtS, '0');
  const record = paxRecord('size', String(sizeBytes));
  return Buffer.concat([
    block(`pax/${name.slice(name.lastIndexOf('/') + 1)}`, record.length, modifiedAtS, 'x'),
    record,
    tarPadding(record.length),
    block(name, 0, modifiedAtS, '0'),
  ]);
}

export function tarPadding(sizeBytes: number): Uint8Array {
  return new Uint8Array((TAR_BLOCK_BYTES - (sizeBytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES);
}

function block(path: string, sizeBytes: number, modifiedAtS: number, type: '0' | 'x'): Buffer {
  const { name, prefix } = splitName(path);
  const bytes = Buffer.alloc(TAR_BLOCK_BYTES);
  bytes.write(name, 0, 'ascii');
  for (const [value, digits, at] of [
    [MODE, 7, 100],
    [0, 7, 108],
    [0, 7, 116],
    [sizeBytes, 11, 124],
    [modifiedAtS, 11, 136],
  ] as const)
    bytes.write(value.toString(8).padStart(digits, '0'), at, 'ascii');
  bytes.write(type, 156, 'ascii');
  bytes.write('ustar\0' + '00', 257, 'ascii');
  bytes.write(prefix, 345, 'ascii');
  // Summed up with spaces where the sum will be.
  bytes.fill(' ', 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return bytes;
}

/** Names of objects are ASCII; long ones are cut at the last slash. */
function splitName(path: string): { readonly name: string; readonly prefix: string } {
  if (path.length <= NAME_BYTES) return { name: path, prefix: '' };
  const slash = path.lastIndexOf('/');
  const [prefix, name] = [path.slice(0, Math.max(slash, 0)), path.slice(slash + 1)];
  if (name.length <= NAME_BYTES && prefix.length <= PREFIX_BYTES && prefix !== '') return { name, prefix };
  throw new BackupError('internal', `${path} has no room in a tar file`);
}

/** Its length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length += 1;
  return Buffer.from(`${length}${rest}`, 'ascii');
}
