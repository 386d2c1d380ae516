import { BackupError } from './errors.ts';

/**
 * Throws `damaged` unless an object of `sizeBytes` holds `length` bytes from `offset`; `internal` when these are
 * not whole numbers from 0.
 */
export function assertRangeInside(name: string, sizeBytes: number, offset: number, length: number): void {
  if (!isWhole(offset) || !isWhole(length)) {
    throw new BackupError('internal', `no range of bytes: ${length} from offset ${offset} of "${name}"`);
  }
  if (offset + length <= sizeBytes) return;
  throw new BackupError(
    'damaged',
    `object "${name}" has ${sizeBytes} bytes, too few for ${length} from offset ${offset}`,
    { hint: 'the object is not as it was written: verify the backup', facts: { object: name, sizeBytes } },
  );
}

function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
