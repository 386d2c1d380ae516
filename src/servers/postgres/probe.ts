import type pg from 'pg';
import type { PositionSample, ServerState } from '../../core/disaster.ts';
import { BackupError } from '../../core/errors.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import { keyNumber } from '../../postgres/backend-key.ts';
import { askRow } from './connection.ts';
import { beginsWithFence } from './hba-fence.ts';
import { OURS } from './others.ts';
import { POOLER_HINT, sqlState } from './server-error.ts';

interface ProbeRow {
  readonly pid: number;
  readonly is_standby: boolean;
  readonly system_identifier: string;
  readonly timeline: number;
  readonly server_version: string;
  readonly position: string;
  readonly replayed: string | null;
  readonly is_replay_paused: boolean;
  readonly apply_delay_ms: string;
  readonly heard_ago_ms: string | null;
  readonly sender_host: string | null;
  readonly sender_port: number | null;
  readonly hba_head: Buffer | null;
  readonly clients: string | null;
  readonly clock_ms: string;
}

/**
 * In one round trip. The control file names a primary's old timeline until its next checkpoint, so the file that is written to now is
 * asked; a standby that was restarted without its primary has received less than it has replayed; and what a receiver says of its state
 * outlives its connection, so only the instant of its last message counts.
 */
const probeSql = (rules: string) => `
  WITH server AS MATERIALIZED (SELECT pg_is_in_recovery() AS is_standby),
       receiver AS MATERIALIZED (SELECT * FROM pg_stat_wal_receiver WHERE last_msg_receipt_time IS NOT NULL)
  SELECT pg_backend_pid() AS pid, is_standby,
         (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
         CASE WHEN is_standby THEN greatest((SELECT received_tli FROM receiver),
                (SELECT timeline_id FROM pg_control_checkpoint()),
                (SELECT min_recovery_end_timeline FROM pg_control_recovery()))
              ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END AS timeline,
         current_setting('server_version') AS server_version,
         CASE WHEN is_standby THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
              ELSE pg_current_wal_flush_lsn() END::text AS position,
         CASE WHEN is_standby THEN pg_last_wal_replay_lsn() END::text AS replayed,
         CASE WHEN is_standby THEN pg_is_wal_replay_paused() ELSE false END AS is_replay_paused,
         (SELECT setting FROM pg_settings WHERE name = 'recovery_min_apply_delay') AS apply_delay_ms,
         (SELECT extract(epoch FROM clock_timestamp() - last_msg_receipt_time) * 1000 FROM receiver) AS heard_ago_ms,
         (SELECT sender_host FROM receiver) AS sender_host,
         (SELECT sender_port FROM receiver) AS sender_port,
         ${rules} AS hba_head,
         CASE WHEN is_standby THEN 0
              WHEN pg_has_role('pg_read_all_stats', 'usage')
              THEN (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND ${OURS} IS NOT TRUE)
              END AS clients,
         extract(epoch FROM clock_timestamp()) * 1000 AS clock_ms
    FROM server`;

const HBA_HEAD = "pg_read_binary_file(current_setting('hba_file'), 0, 4096, true)";

export async function probe(client: pg.Client): Promise<ServerState> {
  try {
    return await probeWith(client, HBA_HEAD);
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    // This role may not read the file that a fence stands in.
    return await probeWith(client, 'NULL::bytea');
  }
}

async function probeWith(client: pg.Client, rules: string): Promise<ServerState> {
  const { row, middleMs } = await timed(() => askRow<ProbeRow>(client, probeSql(rules)));
  if (row.pid !== keyNumber(client)) throw behindPooler();
  return toState(row, middleMs);
}

/** It may lead to another server tomorrow, and no setting of ours reaches the one behind it. */
function behindPooler(): BackupError {
  return new BackupError('store_refused', 'a connection pooler stands before the server', {
    hint: POOLER_HINT,
  });
}

function toState(row: ProbeRow, middleMs: number): ServerState {
  return {
    role: row.is_standby ? 'standby' : 'primary',
    systemIdentifier: row.system_identifier,
    timeline: row.timeline,
    serverVersion: row.server_version,
    position: row.position,
    replayed: row.replayed,
    isReplayPaused: row.is_replay_paused,
    applyDelayMs: Number(row.apply_delay_ms),
    upstream: toUpstream(row),
    isFenced: row.hba_head !== null && beginsWithFence(row.hba_head.toString('latin1')),
    clients: row.clients === null ? null : Number(row.clients),
    clockAheadMs: Math.round(Number(row.clock_ms) - middleMs),
  };
}

function toUpstream({ heard_ago_ms: heard, sender_host: host, sender_port: port }: ProbeRow) {
  if (heard === null || host === null) return null;
  return { heardAgoMs: Math.max(0, Math.round(Number(heard))), host, port: port ?? DEFAULT_PORT };
}

const DEFAULT_PORT = 5432;

/** Measures against the middle of the round trip: half of it lies before the server reads its clock. */
async function timed<Row>(ask: () => Promise<Row>): Promise<{ row: Row; middleMs: number }> {
  const beganMs = Date.now();
  const startedMs = performance.now();
  const row = await ask();
  return { row, middleMs: beganMs + (performance.now() - startedMs) / 2 };
}

interface SampleRow {
  readonly is_standby: boolean;
  readonly system_identifier: string;
  readonly timeline: number | null;
  readonly position: string | null;
  readonly inserted: string | null;
}

const SAMPLE = `
  WITH server AS MATERIALIZED (SELECT pg_is_in_recovery() AS is_standby)
  SELECT is_standby,
         (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
         CASE WHEN NOT is_standby
              THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END AS timeline,
         CASE WHEN NOT is_standby THEN pg_current_wal_flush_lsn() END::text AS position,
         (SELECT n_tup_ins FROM pg_stat_all_tables WHERE schemaname = $1 AND relname = $2)::text AS inserted
    FROM server`;

/** Null of a standby. */
export async function sample(
  client: pg.Client,
  where: {
    readonly region: string;
    readonly server: string;
    readonly schema: string;
    readonly table: string;
  },
): Promise<PositionSample | null> {
  const { region, server, schema, table } = where;
  const { row, middleMs } = await timed(() => askRow<SampleRow>(client, SAMPLE, [schema, table]));
  if (row.timeline === null || row.position === null) return null;
  return {
    ...{ sampledAt: formatTime(timeFromUnixMs(middleMs), 3), region, server },
    systemIdentifier: row.system_identifier,
    timeline: row.timeline,
    position: row.position,
    eventsInserted: row.inserted === null ? null : Number(row.inserted),
  };
}
