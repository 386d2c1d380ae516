import { isBackupError } from '../../core/errors.ts';
import type { StoreInspection } from '../../core/inspection.ts';

/**
 * Of a primary, the furthest that a standby is behind in replaying; those who follow logically have nothing that a check would hold up. Of a
 * standby, how old what it shows is, unless it has replayed all that it got.
 */
const LAG = `
  SELECT extract(epoch FROM CASE
    WHEN NOT pg_is_in_recovery() THEN (
      SELECT max(r.replay_lag)
      FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
      WHERE coalesce(s.slot_type, 'physical') = 'physical')
    WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN '0'::interval
    ELSE clock_timestamp() - pg_last_xact_replay_timestamp()
  END) AS seconds`;

/** Milliseconds by which replication lags; null where there is none, or nobody may know. */
export async function replicationLag(inspection: StoreInspection): Promise<number | null> {
  if (inspection.names.dialect !== 'postgres') return null;
  try {
    for await (const { seconds } of inspection.select(LAG, { limit: 1 })) {
      return seconds == null ? null : Math.round(Number(seconds) * 1000);
    }
    return null;
  } catch (error) {
    if (isBackupError(error, 'check_refused', 'check_timed_out', 'store_refused')) return null;
    throw error;
  }
}
