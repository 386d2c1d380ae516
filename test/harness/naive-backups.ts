import pg from 'pg';

/**
 * Incremental backups as they are often written, each asking for what lies behind the last value that it saw. They keep the
 * ids that they found in tables of their own, so that what they lost can be counted.
 */
export interface NaiveQuestion {
  /** What is asked for, for people. */
  readonly name: string;
  readonly table: string;
  readonly column: string;
  readonly type: string;
  /** SQL over what was found: the greatest value of the column. */
  readonly max: string;
  /** The column with the events' ids. */
  readonly id: string;
}

/** Where the events lie, and the column with their ids, which are uuids. */
export interface NaiveStore {
  readonly events: string;
  readonly id: string;
  readonly questions: readonly NaiveQuestion[];
}

export interface NaiveBackups {
  /** Takes one incremental backup of each kind, in one view. */
  readonly take: () => Promise<void>;
  /** Events of the store that each kind never saw. */
  readonly countLost: () => Promise<Record<string, number>>;
  readonly close: () => Promise<void>;
}

export async function startNaiveBackups(
  address: string,
  { events, id, questions }: NaiveStore,
): Promise<NaiveBackups> {
  const client = new pg.Client(address);
  await client.connect();
  const lasts = new Map<string, string>();
  for (const [i] of questions.entries()) {
    await client.query(`CREATE UNLOGGED TABLE naive.found_${i} (event_id uuid)`);
  }
  return {
    take: async () => {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      for (const [i, { name, max, table, column, type, id: found }] of questions.entries()) {
        const last = lasts.get(name);
        const where = last === undefined ? '' : `WHERE ${column} > '${last}'::${type}`;
        const { rows } = await client.query<{ last: string | null }>(
          `WITH found AS (SELECT * FROM ${table} ${where}),
                kept AS (INSERT INTO naive.found_${i} SELECT ${found}::uuid FROM found)
           SELECT ${max}::text AS last FROM found`,
        );
        if (rows[0]!.last !== null) lasts.set(name, rows[0]!.last);
      }
      await client.query('COMMIT');
    },
    countLost: async () => {
      const lost: Record<string, number> = {};
      for (const [i, { name }] of questions.entries()) {
        const { rows } = await client.query<{ lost: string }>(
          `SELECT count(*) AS lost FROM ${events} e
            WHERE NOT EXISTS (SELECT FROM naive.found_${i} f WHERE f.event_id = e.${id}::uuid)`,
        );
        lost[name] = Number(rows[0]!.lost);
      }
      return lost;
    },
    close: () => client.end(),
  };
}
