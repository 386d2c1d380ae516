import crypto from 'node:crypto';
import { type EventBatch, spanBytes } from '../../core/event-batch.ts';
import { idText } from '../../core/event-id.ts';
import {
  assertNotDiverged,
  countPutBack,
  type Likeness,
  notAsGiven,
  PARKED_FROM,
  type PutBackPlan,
  planPutBack,
  type TouchedRow,
} from '../../core/put-back.ts';
import type { PutBackCounts } from '../../core/repair.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { columnNames, qualified } from './catalog.ts';
import type { Database } from './connection.ts';
import { openCopy } from './copy-writer.ts';
import { inSavepoint, isUnreadable, keepAside, type Repair } from './repair-record.ts';
import { lockStreams } from './stream-locks.ts';
import { withoutTriggers } from './triggers.ts';

const STAGED = qualified('pg_temp', EVENTS.name);

/** Makes events what a batch says, in the transaction of the repair. */
export async function putBack(
  database: Database,
  repair: Repair,
  batch: EventBatch,
  reason: string,
): Promise<PutBackCounts> {
  if (batch.count === 0) return { changed: 0, removed: 0, absent: 0 };
  const { client, live } = repair;
  await stage(database, repair, batch);
  await lockStreams(client, STAGED, live);
  const plan = planPutBack(batch.count, await findTouched(repair, batch));
  assertNotDiverged(batch, plan);
  await keepAside(repair, asideRows(batch, plan), reason);
  if (plan.changes.length + plan.removals.length > 0) {
    await withoutTriggers(client, live, () => applyPlan(repair, batch, plan));
    await assertAsGiven(repair, batch, plan);
  }
  return countPutBack(plan);
}

async function stage(database: Database, { client }: Repair, batch: EventBatch): Promise<void> {
  await client.query(`TRUNCATE ${STAGED}`);
  const writer = await openCopy(database, client, STAGED);
  await writer.write(batch);
  await writer.end();
  await client.query(`ANALYZE ${STAGED}`);
}

interface FoundRow {
  readonly key: string;
  readonly id: string;
  readonly place: string | null;
}

/** Rows that have an id of the batch, or stand in a place of it, locked until the repair is over. */
async function findTouched(repair: Repair, batch: EventBatch): Promise<TouchedRow<string>[]> {
  const { client, live, withoutIndexes } = repair;
  if (withoutIndexes) {
    for (const scan of ['indexscan', 'indexonlyscan', 'bitmapscan'])
      await client.query(`SET LOCAL enable_${scan} = off`);
  }
  const { rows } = await client.query<FoundRow>(
    `WITH found AS (
       SELECT l.ctid AS key FROM ${STAGED} s JOIN ${live} l ON l.event_id = s.event_id
       UNION
       SELECT l.ctid FROM ${STAGED} s JOIN ${live} l ON l.stream_id = s.stream_id AND l.stream_version = s.stream_version)
     SELECT l.ctid::text AS key, l.event_id::text AS id, s.event_id::text AS place
       FROM found f JOIN ${live} l ON l.ctid = f.key
       LEFT JOIN ${STAGED} s ON s.stream_id = l.stream_id AND s.stream_version = l.stream_version
      ORDER BY l.ctid FOR UPDATE OF l`,
  );
  const events = new Map(
    Array.from({ length: batch.count }, (_, row) => [idText(batch, row).toLowerCase(), row]),
  );
  const alike = await compareRows(repair, rows);
  return rows.map(({ key, id, place }) => ({
    key,
    byId: events.get(id) ?? null,
    byPlace: place === null ? null : (events.get(place) ?? null),
    ...(alike.get(key) ?? { isEqual: false, likeness: 'none' }),
  }));
}

interface Comparison {
  readonly isEqual: boolean;
  readonly likeness: Likeness;
}

/** A row that the server cannot read for damage is like nothing. */
async function compareRows(repair: Repair, rows: readonly FoundRow[]): Promise<Map<string, Comparison>> {
  const found = new Map<string, Comparison>();
  const compare = async (some: readonly FoundRow[]): Promise<void> => {
    const keys = some.map(({ key }) => key);
    const { rows: compared } = await inSavepoint(repair.client, () =>
      repair.client.query<{ key: string; equal: boolean | null; alike: boolean | null; at: boolean | null }>(
        compareSql(repair.live),
        [keys],
      ),
    );
    for (const { key, equal, alike, at } of compared) {
      found.set(key, {
        isEqual: equal === true,
        likeness: alike !== true ? 'none' : at === true ? 'all' : 'content',
      });
    }
  };
  try {
    await compare(rows);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    for (const row of rows) {
      await compare([row]).catch((reason: unknown) => {
        if (!isUnreadable(reason)) throw reason;
      });
    }
  }
  return found;
}

/** As text: to jsonb itself 1.0 and 1.00 are the same. `o` has the row's id, `p` its place. */
function compareSql(live: string): string {
  const alike = (s: string): string =>
    `l.event_type = ${s}.event_type AND l.event_data::text = ${s}.event_data::text AND l.metadata::text = ${s}.metadata::text`;
  return `SELECT l.ctid::text AS key, p.created_at = l.created_at AS at, ${alike('p')} AS alike,
            o.stream_id = l.stream_id AND o.stream_version = l.stream_version AND o.created_at = l.created_at
              AND ${alike('o')} AS equal
       FROM ${live} l
       LEFT JOIN ${STAGED} o ON o.event_id = l.event_id
       LEFT JOIN ${STAGED} p ON p.stream_id = l.stream_id AND p.stream_version = l.stream_version
      WHERE l.ctid = ANY ($1::text[]::tid[])`;
}

function asideRows(batch: EventBatch, { changes, removals }: PutBackPlan<string>) {
  return [
    ...changes
      .filter(({ isEqual }) => !isEqual)
      .map(({ key, event }) => ({
        key,
        kind: 'put_back_events' as const,
        sha256After: crypto.hash('sha256', spanBytes(batch, batch.data, event) ?? new Uint8Array(0), 'hex'),
      })),
    ...removals.map(({ key }) => ({ key, kind: 'remove_copies' as const, sha256After: null })),
  ];
}

/**
 * Rows are updated, not written anew: columns that the layout does not know stay. Those that move are first moved out of the way, since two
 * that were exchanged would each find the other in its place. Each update gives every value: one that is left as it was would not reach who
 * follows the changes, where it is large.
 */
async function applyPlan(
  { client, live }: Repair,
  batch: EventBatch,
  { changes, removals }: PutBackPlan<string>,
): Promise<void> {
  if (removals.length > 0) {
    const keys = removals.map(({ key }) => key);
    await client.query(`DELETE FROM ${live} WHERE ctid = ANY ($1::text[]::tid[])`, [keys]);
  }
  const update = async (rows: readonly { key: string; event: number }[], version: string) => {
    const set = EVENTS.columns.map(
      ({ name }) => `${name} = ${name === 'stream_version' ? version : `s.${name}`}`,
    );
    const result = await client.query<{ key: string }>(
      `UPDATE ${live} l SET ${set.join(', ')}
         FROM unnest($1::text[]::tid[], $2::uuid[]) WITH ORDINALITY AS p(key, target, number)
         JOIN ${STAGED} s ON s.event_id = p.target WHERE l.ctid = p.key
       RETURNING l.ctid::text AS key, l.event_id::text AS id`,
      [rows.map(({ key }) => key), rows.map(({ event }) => idText(batch, event))],
    );
    return result.rows as { key: string; id: string }[];
  };
  const [moved, others] = [
    changes.filter(({ isMoved }) => isMoved),
    changes.filter(({ isMoved }) => !isMoved),
  ];
  const events = new Map(moved.map(({ event }) => [idText(batch, event).toLowerCase(), event]));
  const parked = moved.length === 0 ? [] : await update(moved, `${PARKED_FROM} + p.number`);
  const placed = parked.map(({ key, id }) => ({ key, event: events.get(id)! }));
  if (changes.length > 0) await update([...others, ...placed], 's.stream_version');
}

/** What the store gives back now is what the backup has, or nothing of it stays. */
async function assertAsGiven(
  { client, live }: Repair,
  batch: EventBatch,
  plan: PutBackPlan<string>,
): Promise<void> {
  const columns = columnNames(EVENTS);
  const { rows } = await client.query<{ id: string; same: boolean; data: string; metadata: string }>(
    `SELECT s.event_id::text AS id, l.event_data::text AS data, l.metadata::text AS metadata,
            l.stream_id = s.stream_id AND l.stream_version = s.stream_version AND l.event_type = s.event_type
              AND l.created_at = s.created_at AS same
       FROM ${STAGED} s JOIN (SELECT ${columns} FROM ${live}) l ON l.event_id = s.event_id`,
  );
  const found = Map.groupBy(rows, ({ id }) => id);
  for (const event of new Set([...plan.changes, ...plan.removals].map(({ event }) => event))) {
    const [row, ...more] = found.get(idText(batch, event).toLowerCase()) ?? [];
    const isSame =
      row !== undefined &&
      more.length === 0 &&
      row.same &&
      isText(batch, batch.data, event, row.data) &&
      isText(batch, batch.metadata, event, row.metadata);
    if (!isSame) throw notAsGiven(batch, event);
  }
}

function isText(batch: EventBatch, spans: EventBatch['data'], row: number, text: string): boolean {
  const bytes = spanBytes(batch, spans, row);
  return bytes !== null && Buffer.from(text).equals(bytes);
}
