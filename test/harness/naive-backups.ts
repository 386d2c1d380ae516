import pg from 'pg';

/**
 * Incremental backups as they are often written, each asking for what lies behind the last value that it saw. They keep the
 * ids that they found in tables of their own, so that what they lost can be counted.
 */
const QUESTIONS = {
  'created_at > last': ['max(created_at)', 'eventcore_events', 'created_at', 'timestamptz'],
  'event_id > last': ['max(event_id::text)', 'eventcore_events', 'event_id', 'uuid'],
  'global_position > last': ['max(position)', 'naive.positions', 'position', 'bigint'],
} as const;

export type NaiveName = keyof typeof QUESTIONS;

export interface NaiveBackups {
  /** Takes one incremental backup of each kind, in one view. */
  readonly take: () => Promise<void>;
  /** Events of the store that each kind never saw. */
  readonly countLost: () => Promise<Record<NaiveName, number>>;
  readonly close: () => Promise<void>;
}

export async function startNaiveBackups(address: string): Promise<NaiveBackups> {
  const client = new pg.Client(address);
  await client.connect();
  const lasts = new Map<string, string>();
  for (const [i] of Object.keys(QUESTIONS).entries()) {
    await client.query(`CREATE UNLOGGED TABLE naive.found_${i} (event_id uuid)`);
  }
  return {
    take: async () => {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      for (const [i, [max, table, column, type]] of Object.values(QUESTIONS).entries()) {
        const last = lasts.get(column);
        const where = last === undefined ? '' : `WHERE ${column} > '${last}'::${type}`;
        const { rows } = await client.query<{ last: string | null }>(
          `WITH found AS (SELECT * FROM ${table} ${where}),
                kept AS (INSERT INTO naive.found_${i} SELECT event_id FROM found)
           SELECT ${max}::text AS last FROM found`,
        );
        if (rows[0]!.last !== null) lasts.set(column, rows[0]!.last);
      }
      await client.query('COMMIT');
    },
    countLost: async () => {
      const lost = {} as Record<NaiveName, number>;
      for (const [i, name] of (Object.keys(QUESTIONS) as NaiveName[]).entries()) {
        const { rows } = await client.query<{ lost: string }>(
          `SELECT count(*) AS lost FROM eventcore_events e
            WHERE NOT EXISTS (SELECT FROM naive.found_${i} f WHERE f.event_id = e.event_id)`,
        );
        lost[name] = Number(rows[0]!.lost);
      }
      return lost;
    },
    close: () => client.end(),
  };
}
