import type { EventStore } from '../core/event-store.ts';
import type { StoreInspection } from '../core/inspection.ts';

/** More than these are as good as all: somebody has to look. */
const MOST_GHOSTS = 100;
/** How some consumers write that they have seen nothing yet. */
const NIL = '00000000-0000-0000-0000-000000000000';
const STATEMENT_TIMEOUT_MS = 60_000;

/** Consumers whose checkpoint names an event that the store does not have: they have seen one that is no more. At most 100, by name. */
export async function findGhosts({ names, select }: StoreInspection, signal: AbortSignal): Promise<string[]> {
  const { checkpoints, events, id, dialect } = names;
  if (checkpoints === null) return [];
  const { table, name, position } = checkpoints;
  const at = `consumers.${position}`;
  const same = dialect === 'postgres' ? `${id} = ${at}` : `${id} IN (${at}, lower(${at}))`;
  const sql = `SELECT consumers.${name} AS consumer FROM ${table} AS consumers WHERE ${at} IS NOT NULL AND ${at} <> '${NIL}'
    AND NOT EXISTS (SELECT 1 FROM ${events} WHERE ${same}) ORDER BY 1 LIMIT ${MOST_GHOSTS}`;
  const ghosts: string[] = [];
  for await (const { consumer } of select(sql, { signal })) ghosts.push(consumer ?? '');
  return ghosts;
}

/** The same of a store that is not being asked anything else. One that answers no statements keeps no checkpoints that could be asked for. */
export async function findGhostsIn(store: EventStore, signal: AbortSignal): Promise<string[]> {
  const inspection = await store.openInspection({ statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  if (inspection === null) return [];
  try {
    return await findGhosts(inspection, signal);
  } finally {
    await inspection.close();
  }
}
