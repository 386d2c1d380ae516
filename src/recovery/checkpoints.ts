import type { CompanionRow } from '../core/event-store.ts';

export type CheckpointPolicy = 'keep' | 'clamp' | 'reset';

/** What happens to the position of one consumer. */
export interface CheckpointOutcome {
  readonly name: string;
  readonly position: string | null;
  /** Its position lies behind the last restored event: the consumer would skip events to come. */
  readonly ahead: boolean;
  readonly action: 'kept' | 'clamped' | 'reset';
  readonly restoredPosition: string | null;
}

/**
 * Decides over one checkpoint. `greatestId` is the greatest restored event id, null when unknown: then nothing is
 * called ahead. `clamp` moves what is ahead back to it; `reset` leaves the row out, so its consumer starts anew.
 * The first column of a checkpoint row is the consumer's name, the second its position.
 */
export function decideCheckpoint(
  row: CompanionRow,
  policy: CheckpointPolicy,
  greatestId: string | null,
): { outcome: CheckpointOutcome; row: CompanionRow | null } {
  const [nameColumn, positionColumn] = Object.keys(row.values) as [string, string];
  const position = row.values[positionColumn] ?? null;
  const ahead = position !== null && greatestId !== null && position.toLowerCase() > greatestId;
  const common = { name: row.values[nameColumn] ?? '', position, ahead };
  if (policy === 'reset')
    return { outcome: { ...common, action: 'reset', restoredPosition: null }, row: null };
  if (policy === 'clamp' && ahead) {
    const clamped = { ...row, values: { ...row.values, [positionColumn]: greatestId } };
    return { outcome: { ...common, action: 'clamped', restoredPosition: greatestId }, row: clamped };
  }
  return { outcome: { ...common, action: 'kept', restoredPosition: position }, row };
}
