import type { EventStore } from '../core/event-store.ts';
import type { StoreInspection } from '../core/inspection.ts';

/** Which server of PostgreSQL, and which database of it: two that stream from one another differ in when they were started. */
export interface StoreIdentity {
  readonly systemIdentifier: string;
  /** The one that is written to; null on a standby. */
  readonly timeline: number | null;
  readonly database: string;
  /** RFC 3339, with microseconds. */
  readonly startedAt: string;
}

const STATEMENT_TIMEOUT_MS = 10_000;
const SQL = `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system,
  CASE WHEN NOT pg_is_in_recovery()
    THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int::text END AS timeline,
  current_database()::text AS database,
  to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS started`;

/** Null for a store that is no server: its address says which one it is. */
export async function readIdentity(store: EventStore, signal: AbortSignal): Promise<StoreIdentity | null> {
  const inspection = await store.openInspection({ statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  if (inspection === null) return null;
  try {
    return inspection.names.dialect === 'postgres' ? await ask(inspection, signal) : null;
  } finally {
    await inspection.close();
  }
}

async function ask({ select }: StoreInspection, signal: AbortSignal): Promise<StoreIdentity | null> {
  for await (const { system, timeline, database, started } of select(SQL, { signal })) {
    return {
      ...{ systemIdentifier: system!, database: database!, startedAt: started! },
      timeline: timeline == null ? null : Number(timeline),
    };
  }
  return null;
}

/** What of the two is not the same, in words; null when they are one. */
export function whyNotSame(wanted: StoreIdentity, found: StoreIdentity): string | null {
  if (found.systemIdentifier !== wanted.systemIdentifier)
    return `it is the server with system identifier ${found.systemIdentifier}, not ${wanted.systemIdentifier}`;
  if (found.timeline === null) return 'it is a standby';
  if (found.timeline !== wanted.timeline)
    return `it writes timeline ${found.timeline}, not ${wanted.timeline}: it is another primary`;
  if (found.database !== wanted.database)
    return `it is the database ${JSON.stringify(found.database)}, not ${JSON.stringify(wanted.database)}`;
  if (found.startedAt !== wanted.startedAt)
    return `it is a server that was started at ${found.startedAt}, not at ${wanted.startedAt}`;
  return null;
}
