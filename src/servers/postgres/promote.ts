import type pg from 'pg';
import type { Promotion } from '../../core/disaster-ports.ts';
import { pause } from '../../core/pause.ts';
import { askRow } from './connection.ts';
import { sqlState } from './server-error.ts';

const LOOK_MS = 50;

/** Makes it a primary, unless it is one, and waits until it takes writes. A second pg_promote would be an error. */
export async function promote(client: pg.Client, signal: AbortSignal): Promise<Promotion> {
  if (await isStandby(client)) await client.query('SELECT pg_promote(false)').catch(unlessPromoted);
  while (await isStandby(client)) await pause(LOOK_MS, signal);
  const { timeline, history } = await askRow<{ timeline: number; history: string }>(client, WHERE_IT_IS);
  return { timeline, forkLsn: timeline === 1 ? null : await readForkLsn(client, history) };
}

async function isStandby(client: pg.Client): Promise<boolean> {
  return (await askRow<{ yes: boolean }>(client, 'SELECT pg_is_in_recovery() AS yes')).yes;
}

/** `recovery is not in progress`: it ended since it was asked. */
function unlessPromoted(error: unknown): void {
  if (sqlState(error) !== '55000') throw error;
}

/** It is only a number of a transaction, but no standby gives one. */
const WHERE_IT_IS = `
  WITH wal AS MATERIALIZED (SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline, pg_current_xact_id())
  SELECT ('x' || timeline)::bit(32)::int AS timeline, 'pg_wal/' || timeline || '.history' AS history FROM wal`;

/** Its last line names the timeline before and where that was left. Null where this role may not read it. */
async function readForkLsn(client: pg.Client, path: string): Promise<string | null> {
  try {
    const { text } = await askRow<{ text: string | null }>(
      client,
      'SELECT pg_read_file($1, 0, 1000000, true) AS text',
      [path],
    );
    return forkLsnOf(text ?? '');
  } catch (error) {
    if (sqlState(error) === '42501') return null;
    throw error;
  }
}

/** Of a history file: lines of timeline, LSN and reason with tabs between, comments and empty lines among them. */
export function forkLsnOf(history: string): string | null {
  const lines = history.split('\n').map((line) => /^\s*\d+\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line));
  return lines.findLast((match) => match !== null)?.[1]?.toUpperCase() ?? null;
}
