import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import type { RepairKind } from '../../core/finding.ts';
import { EVENTS, REPAIRS } from '../layouts/eventcore-postgres.ts';
import { findTable, qualified } from './catalog.ts';
import { createTable } from './schema.ts';
import { sqlState } from './server-error.ts';

/** The transaction of one repair. */
export interface Repair {
  readonly client: pg.Client;
  readonly schema: string;
  readonly live: string;
  readonly record: string;
  readonly repairId: string;
  readonly withoutIndexes: boolean;
}

/** Makes the table of repairs where it is missing. To be called in the transaction of the repair. */
export async function ensureRecord({ client, schema }: Repair): Promise<void> {
  if ((await findTable(client, schema, REPAIRS.name)) !== null) return;
  try {
    await createTable(client, schema, REPAIRS);
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    throw new BackupError(
      'store_refused',
      `a repair needs a table ${schema}.${REPAIRS.name} for what it changes`,
      {
        hint: `as the owner of the schema: GRANT CREATE ON SCHEMA ${schema} TO ${client.user}, or repair as its owner`,
        cause: error,
      },
    );
  }
}

/** A row that is about to be changed or taken away. */
export interface AsideRow {
  /** Its ctid. */
  readonly key: string;
  readonly kind: RepairKind;
  /** SHA-256 (hex) of the data that it has afterwards; null when it is taken away. */
  readonly sha256After: string | null;
}

/** Keeps rows of the events table aside as they are. */
export async function keepAside(repair: Repair, rows: readonly AsideRow[], reason: string): Promise<void> {
  if (rows.length === 0) return;
  try {
    await inSavepoint(repair.client, () => keepReadable(repair, rows, reason));
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    // Of a damaged row what can be read is kept, column by column.
    for (const row of rows) await keepWhatIsReadable(repair, row, reason);
  }
}

async function keepReadable(
  { client, live, record, repairId }: Repair,
  rows: readonly AsideRow[],
  reason: string,
): Promise<void> {
  await client.query(
    `INSERT INTO ${record} (repair_id, kind, reason, stream_id, stream_version, event_id, row_before, sha256_after)
     SELECT $1, p.kind, $2, l.stream_id, l.stream_version, l.event_id::text, to_jsonb(l)::text::jsonb, p.after
       FROM unnest($3::text[], $4::text[], $5::text[]) AS p(key, kind, after) JOIN ${live} l ON l.ctid = p.key::tid`,
    [
      repairId,
      reason,
      rows.map(({ key }) => key),
      rows.map(({ kind }) => kind),
      rows.map(({ sha256After }) => sha256After),
    ],
  );
}

async function keepWhatIsReadable({ client, live, record, repairId }: Repair, row: AsideRow, reason: string) {
  const before: Record<string, unknown> = {};
  const unreadable: string[] = [];
  for (const { name } of EVENTS.columns) {
    try {
      const sql = `SELECT to_jsonb(l.${pg.escapeIdentifier(name)})::text::jsonb::text AS value FROM ${live} l WHERE l.ctid = $1::tid`;
      const { rows } = await inSavepoint(client, () =>
        client.query<{ value: string | null }>(sql, [row.key]),
      );
      before[name] = rows[0]?.value ?? null;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      unreadable.push(name);
    }
  }
  const texts = Object.entries(before).map(([name, value]) => `${JSON.stringify(name)}: ${value as string}`);
  await client.query(
    `INSERT INTO ${record} (repair_id, kind, reason, row_before, sha256_after) VALUES ($1, $2, $3, $4::jsonb, $5)`,
    [
      repairId,
      row.kind,
      reason,
      `{${[...texts, `"unreadable": ${JSON.stringify(unreadable)}`].join(', ')}}`,
      row.sha256After,
    ],
  );
}

/** Class XX: the server found its own data damaged; 22: a value of it is none; 54: a length in it is beyond all bounds. */
export function isUnreadable(error: unknown): boolean {
  const state = sqlState(error);
  return state !== null && ['XX', '22', '54'].includes(state.slice(0, 2));
}

/** Work that, where it fails, leaves the transaction as it was before. */
export async function inSavepoint<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  await client.query('SAVEPOINT repair_step');
  try {
    const result = await work();
    await client.query('RELEASE SAVEPOINT repair_step');
    return result;
  } catch (error) {
    await client
      .query('ROLLBACK TO SAVEPOINT repair_step; RELEASE SAVEPOINT repair_step')
      .catch(() => undefined);
    throw error;
  }
}

/** Names of what a statement's repair keeps: its rows as JSON, or one entry without a row. */
export async function keepStatement(
  { client, record, repairId }: Repair,
  kind: RepairKind,
  reason: string,
  before: { readonly sql: string; readonly parameters?: readonly unknown[] } | null,
): Promise<void> {
  const { rows } =
    before === null
      ? { rows: [] }
      : await client.query<{ row: string }>(`SELECT to_jsonb(b)::text AS row FROM (${before.sql}) AS b`, [
          ...(before.parameters ?? []),
        ]);
  await client.query(
    `INSERT INTO ${record} (repair_id, kind, reason, row_before) SELECT $1, $2, $3, row::jsonb FROM unnest($4::text[]) AS row`,
    [repairId, kind, reason, rows.length === 0 ? [null] : rows.map(({ row }) => row)],
  );
}

export function recordTable(schema: string): string {
  return qualified(schema, REPAIRS.name);
}
