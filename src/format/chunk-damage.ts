import { BackupError } from '../core/errors.ts';
import type { ChunkFormat } from '../core/manifest.ts';

/** The error of a chunk decoder: what is wrong, at which byte of the plain chunk. */
export function chunkDamage(format: ChunkFormat, what: string, byte: number): BackupError {
  return new BackupError('damaged', `damaged ${format} chunk: ${what} at byte ${byte}`, {
    hint: 'restore these events from another copy of the backup, or from another backup',
    facts: { byte },
  });
}
