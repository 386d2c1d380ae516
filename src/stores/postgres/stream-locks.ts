import type pg from 'pg';

/** The server has room for some thousands of locks of all sessions together; with more streams the table is locked. */
const MOST_STREAM_LOCKS = 500;

/** Takes the locks of EventCore's own appends on the streams of a staged table, in the order in which appends take them too. */
export async function lockStreams(client: pg.Client, staged: string, live: string): Promise<void> {
  const { rows } = await client.query<{ stream: string }>(
    `SELECT DISTINCT stream_id COLLATE "C" AS stream FROM ${staged} ORDER BY 1 LIMIT ${MOST_STREAM_LOCKS + 1}`,
  );
  if (rows.length > MOST_STREAM_LOCKS) {
    await client.query(`LOCK TABLE ${live} IN SHARE ROW EXCLUSIVE MODE`);
    return;
  }
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended(s, 0)) FROM unnest($1::text[]) AS s', [
    rows.map(({ stream }) => stream),
  ]);
}
