import { BackupError } from '../../core/errors.ts';

/** Why a feed cannot go on where it was. */
export type LossReason =
  | 'other_system'
  | 'other_timeline'
  | 'other_database'
  | 'other_table'
  | 'store_rolled_back'
  | 'publication_changed'
  | 'slot_missing'
  | 'slot_ahead'
  | 'wal_lost'
  | 'value_not_sent';

const HINT = 'what was committed in between is not in the log: begin the log anew and take a full backup';

/** The store no longer has all that came after the last acknowledged position. */
export function feedLost(
  reason: LossReason,
  message: string,
  facts: Readonly<Record<string, string | number | boolean | null>> = {},
  { cause, hint = HINT }: { readonly cause?: unknown; readonly hint?: string } = {},
): BackupError {
  return new BackupError('feed_lost', message, {
    hint,
    facts: { reason, ...facts },
    ...(cause === undefined ? {} : { cause }),
  });
}
