import type { DatabaseSync } from 'node:sqlite';
import { BackupError } from '../../core/errors.ts';
import type { ForeignStatement, SqliteForeignLayout } from '../layouts/foreign-sqlite.ts';
import type { SqliteConfig } from './config.ts';
import { CONSTRAINT, resultCode } from './errors.ts';
import { foreignColumns, isKept } from './foreign-rows.ts';
import { assertStore, describeTable } from './inspector.ts';
import { quoted } from './sql.ts';
import { createStaged } from './staged.ts';

/** What was backed up, as EventCore's tables would have it. */
export const RESTORED = 'eventcore_restored';
/** The place of each row of it in the order of the store. */
const NUMBERS = 'eventcore_restored_numbers';

/** The tables of others are made by their own tools, and are never altered: rows are added. */
export function beginForeign(db: DatabaseSync, config: SqliteConfig, layout: SqliteForeignLayout): void {
  assertStore(db, config);
  createStaged(db, RESTORED);
  for (const { name, gathered } of layout.companions) {
    if (gathered !== undefined && !isThere(db, name))
      db.exec(`CREATE TEMP TABLE ${quoted(name)} (${gathered})`);
  }
}

/** Puts what was loaded into the store's own tables, in the transaction of the restore. Their triggers are not there. */
export function fillForeign(
  db: DatabaseSync,
  config: SqliteConfig,
  own: SqliteForeignLayout,
  adopt: boolean,
): void {
  const layout = adopt ? adopting(db, own) : own;
  const given = givenColumns(db);
  const { columns } = describeTable(db, layout.table)!;
  const unknown = [...given].find((name) => !columns.some((column) => column.name === name));
  if (unknown !== undefined) throw noPlace(config, layout, unknown);
  db.exec(
    `CREATE TEMP TABLE ${NUMBERS} (number INTEGER PRIMARY KEY, staged INTEGER);
     INSERT INTO temp.${NUMBERS} SELECT row_number() OVER (ORDER BY ${layout.order}, stream_id, stream_version), _rowid_
       FROM temp.${RESTORED} AS s`,
  );
  runStatements(db, layout.before);
  insertRestored(db, config, layout, given);
  runStatements(db, layout.after);
}

/** Makes of events of EventCore, whose ids are their order, such as the store would have given, and says how they are written. */
function adopting(db: DatabaseSync, layout: SqliteForeignLayout): SqliteForeignLayout {
  const beside = layout.metadata === null ? "'{}'" : `json_object('${layout.metadata}', metadata)`;
  db.exec(
    `UPDATE temp.${RESTORED} SET metadata = CASE WHEN ${isKept('metadata')}
       THEN concat('{"metadata":', metadata, ',"columns":{}}') ELSE concat('{"columns":', ${beside}, '}') END`,
  );
  return { ...layout, rewritten: { ...layout.rewritten, ...layout.adopts }, order: 's.event_id' };
}

/** Columns that stand beside the metadata of any event. */
function givenColumns(db: DatabaseSync): Set<string> {
  const rows = db
    .prepare(
      `SELECT DISTINCT key FROM temp.${RESTORED}, json_each(iif(json_valid(metadata), metadata, '{}'), '$.columns')`,
    )
    .all();
  return new Set(rows.map(({ key }) => String(key)));
}

function noPlace(
  { address }: SqliteConfig,
  { table, name }: SqliteForeignLayout,
  column: string,
): BackupError {
  return new BackupError(
    'value_not_storable',
    `table ${table} of ${address} has no column ${JSON.stringify(column)}, which the backup has values for`,
    { hint: `bring the target to the version of ${name} that was backed up, by its own migrations` },
  );
}

function insertRestored(
  db: DatabaseSync,
  { address }: SqliteConfig,
  layout: SqliteForeignLayout,
  given: ReadonlySet<string>,
): void {
  const written = foreignColumns(layout, describeTable(db, layout.table)!.columns, given);
  const names = written.map(({ name }) => quoted(name)).join(', ');
  const values = written.map(({ sql }) => sql).join(', ');
  try {
    db.exec(
      `INSERT INTO main.${quoted(layout.table)} (${names})
       SELECT ${values} FROM (SELECT staged.*, number FROM temp.${NUMBERS} CROSS JOIN temp.${RESTORED} AS staged
                               WHERE staged._rowid_ = ${NUMBERS}.staged ORDER BY number) AS s`,
    );
  } catch (cause) {
    if (((resultCode(cause) ?? 0) & 0xff) !== CONSTRAINT) throw cause;
    throw new BackupError(
      'value_not_storable',
      `${address} does not take the events: ${(cause as Error).message}`,
      {
        hint: `the target has to have the same columns as the store of ${layout.name} that was backed up`,
        cause,
      },
    );
  }
}

function runStatements(db: DatabaseSync, statements: readonly ForeignStatement[]): void {
  for (const { needs, sql } of statements) {
    if (needs.every((name) => isThere(db, name))) db.exec(sql);
  }
}

/** `name` is in the database, unless it says `temp.`. */
function isThere(db: DatabaseSync, name: string): boolean {
  const table = name.replace(/^(main|temp)\./, '');
  const schema = name.startsWith('temp.') ? 'temp' : 'main';
  return db.prepare('SELECT 1 FROM pragma_table_list(?) WHERE schema = ?').get(table, schema) !== undefined;
}
