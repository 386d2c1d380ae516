import crypto from 'node:crypto';
import type { SQLInputValue } from 'node:sqlite';
import { type EventBatch, spanBytes } from '../../core/event-batch.ts';
import { nameText } from '../../core/name-text.ts';
import {
  assertNotDiverged,
  countPutBack,
  notAsGiven,
  PARKED_FROM,
  type PutBackPlan,
  planPutBack,
  type TouchedRow,
} from '../../core/put-back.ts';
import type { PutBackCounts } from '../../core/repair.ts';
import type { SqliteConfig } from './config.ts';
import { guarded } from './errors.ts';
import { openLoader } from './loader.ts';
import { record, rowText, type SqliteRepair } from './repair-record.ts';
import { dropTriggers } from './schema.ts';
import { quoted } from './sql.ts';
import { stagedConfig } from './staged.ts';

/** A temporary table of this connection; a row's number is that of its event in the batch, and 1. */
const STAGED = 'eventcore_repair';

export function stagedTable({ layout }: SqliteConfig, withIndexes: boolean): string {
  const { id, stream, version, ...others } = layout.events.columns;
  const typed = [id, stream, ...Object.values(others)].map((name) => `${quoted(name)} TEXT`);
  const create = `CREATE TEMP TABLE ${STAGED} (${[...typed, `${quoted(version)} INTEGER`].join(', ')})`;
  if (!withIndexes) return create;
  return `${create}; CREATE INDEX temp.${STAGED}_id ON ${STAGED} (${quoted(id)});
    CREATE INDEX temp.${STAGED}_place ON ${STAGED} (${quoted(stream)}, ${quoted(version)})`;
}

/** Makes events what a batch says, in the transaction of the repair. */
export async function putBack(
  repair: SqliteRepair,
  batch: EventBatch,
  reason: string,
): Promise<PutBackCounts> {
  const { db, config } = repair;
  if (batch.count === 0) return { changed: 0, removed: 0, absent: 0 };
  await stage(repair, batch);
  return guarded(config.address, () => {
    const plan = planPutBack(batch.count, findTouched(repair));
    assertNotDiverged(batch, plan);
    keepAside(repair, batch, plan, reason);
    if (plan.changes.length + plan.removals.length > 0) {
      const triggers = dropTriggers(db, config.layout.events.table);
      applyPlan(repair, plan);
      for (const { create } of triggers) db.exec(create);
      assertAsGiven(repair, batch, plan);
    }
    return countPutBack(plan);
  });
}

async function stage({ db, config }: SqliteRepair, batch: EventBatch): Promise<void> {
  const { address } = config;
  guarded(address, () => db.exec(`DELETE FROM temp.${STAGED}`));
  const writer = openLoader(db, stagedConfig(config, STAGED), () => {});
  await writer.write(batch);
  await writer.end();
}

/** `l` is a row of the store, `s` what was written. */
function names({ config, key, withoutIndexes }: SqliteRepair) {
  const { table, columns } = config.layout.events;
  const live = `main.${quoted(table)} l${withoutIndexes ? ' NOT INDEXED' : ''}`;
  const same = (fields: readonly (keyof typeof columns)[]): string =>
    fields
      .map(
        (field) => `CAST(l.${quoted(columns[field])} AS BLOB) IS CAST(s.${quoted(columns[field])} AS BLOB)`,
      )
      .join(' AND ');
  const [id, stream, version] = [columns.id, columns.stream, columns.version].map(quoted);
  // With the store first where its indexes are not to be used: the temporary table has its own then.
  const joined = withoutIndexes
    ? `${live} CROSS JOIN temp.${STAGED} s`
    : `temp.${STAGED} s CROSS JOIN ${live}`;
  return { live, same, id, stream, version, joined, columns, table, key: `l.${quoted(key)}` };
}

type Key = SQLInputValue;

/** In SQLite ids are text, and those that differ in case only are one UUID. */
function findTouched(repair: SqliteRepair): TouchedRow<Key>[] {
  const { same, id, stream, version, joined, key } = names(repair);
  const rows = new Map<string, TouchedRow<Key>>();
  const take = (
    sql: string,
    fill: (row: readonly unknown[], known: TouchedRow<Key> | undefined) => TouchedRow<Key>,
  ) => {
    const statement = repair.db.prepare(sql);
    statement.setReturnArrays(true);
    statement.setReadBigInts(true);
    for (const row of statement.all() as unknown as readonly (readonly unknown[])[]) {
      const name = keyName(row[0] as Key);
      rows.set(name, fill(row, rows.get(name)));
    }
  };
  const all = ['id', 'stream', 'version', 'type', 'data', 'metadata', 'time'] as const;
  take(`SELECT ${key}, s._rowid_ - 1, ${same(all)} FROM ${joined} WHERE l.${id} = s.${id}`, (row) => ({
    ...{ key: row[0] as Key, byId: Number(row[1]), byPlace: null, isEqual: row[2] === 1n, likeness: 'none' },
  }));
  const likeness = `CASE WHEN NOT (${same(['type', 'data', 'metadata'])}) THEN 'none' WHEN ${same(['time'])} THEN 'all' ELSE 'content' END`;
  take(
    `SELECT ${key}, s._rowid_ - 1, ${likeness}, lower(l.${id}) = lower(s.${id}) FROM ${joined}
      WHERE l.${stream} = s.${stream} AND l.${version} = s.${version}`,
    (row, known) => {
      const byPlace = Number(row[1]);
      const byId = known?.byId ?? (row[3] === 1n ? byPlace : null);
      const isEqual = known?.isEqual ?? false;
      return { key: row[0] as Key, byId, byPlace, isEqual, likeness: row[2] as 'none' | 'content' | 'all' };
    },
  );
  return [...rows.values()];
}

function keyName(key: Key): string {
  return key instanceof Uint8Array
    ? `blob ${Buffer.from(key).toString('hex')}`
    : `${typeof key} ${String(key)}`;
}

function keepAside(repair: SqliteRepair, batch: EventBatch, plan: PutBackPlan<Key>, reason: string): void {
  const { columns, table } = names(repair);
  const fields = Object.values(columns).map((name) =>
    name === columns.version ? quoted(name) : `CAST(${quoted(name)} AS BLOB) AS ${quoted(name)}`,
  );
  const statement = repair.db.prepare(
    `SELECT ${fields.join(', ')} FROM main.${quoted(table)} WHERE ${quoted(repair.key)} = ?`,
  );
  statement.setReadBigInts(true);
  const keep = (key: Key, kind: 'put_back_events' | 'remove_copies', sha256After: string | null): void => {
    const row = statement.get(key)!;
    const text = (name: string): string =>
      row[name] instanceof Uint8Array ? nameText(row[name]) : String(row[name]);
    const version = row[columns.version];
    const event = {
      streamId: text(columns.stream),
      version: typeof version === 'bigint' ? version : null,
      id: text(columns.id),
    };
    record(repair, { kind, reason, before: rowText(row), event, sha256After });
  };
  for (const { key, event, isEqual } of plan.changes) {
    if (isEqual) continue;
    const data = spanBytes(batch, batch.data, event) ?? new Uint8Array(0);
    keep(key, 'put_back_events', crypto.hash('sha256', data, 'hex'));
  }
  for (const { key } of plan.removals) keep(key, 'remove_copies', null);
}

/**
 * A row keeps its number, by which the change log and the next backup know it. Those that move are first moved out of the way,
 * since two that were exchanged would each find the other in its place.
 */
function applyPlan(repair: SqliteRepair, { changes, removals }: PutBackPlan<Key>): void {
  const { db, key } = repair;
  const { table, columns, version } = names(repair);
  const live = `main.${quoted(table)}`;
  const where = `WHERE ${quoted(key)} = ?`;
  const remove = db.prepare(`DELETE FROM ${live} ${where}`);
  for (const removal of removals) remove.run(removal.key);
  const park = db.prepare(`UPDATE ${live} SET ${version} = ? ${where}`);
  for (const [number, { key, isMoved }] of changes.entries())
    if (isMoved) park.run(PARKED_FROM + number, key);
  const all = Object.values(columns).map(quoted).join(', ');
  const values = `SELECT ${all} FROM temp.${STAGED} WHERE _rowid_ = ?`;
  const set = db.prepare(`UPDATE ${live} SET (${all}) = (${values}) ${where}`);
  for (const change of changes) set.run(change.event + 1, change.key);
}

/** What the store gives back now is what the backup has, or nothing of it stays. */
function assertAsGiven(repair: SqliteRepair, batch: EventBatch, plan: PutBackPlan<Key>): void {
  const { same, id, joined } = names(repair);
  const statement = repair.db.prepare(
    `SELECT count(*) AS rows, count(*) FILTER (WHERE ${same(['stream', 'version', 'type', 'data', 'metadata', 'time'])}) AS equal
       FROM ${joined} WHERE s._rowid_ = ? AND l.${id} = s.${id}`,
  );
  for (const event of new Set([...plan.changes, ...plan.removals].map(({ event }) => event))) {
    const found = statement.get(event + 1)!;
    if (found.rows !== 1 || found.equal !== 1) throw notAsGiven(batch, event);
  }
}
