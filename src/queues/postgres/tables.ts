import { BackupError } from '../../core/errors.ts';
import type { QueueDatabase } from './database.ts';

/** Runs that nobody ended are taken away after this, with all that belongs to them. */
const KEEP_RUNS = '1 day';

/**
 * What pg-boss has not. `about`: which key the jobs are sealed with. `run`: coordinators at work. `progress` and `result` go with
 * their run. All in one transaction, one after the other when several come at once.
 */
function statements(schema: string): string {
  return `BEGIN;
    SELECT pg_advisory_xact_lock(hashtext('eventcore ${schema}'));
    CREATE TABLE IF NOT EXISTS ${schema}.about (name text PRIMARY KEY, value text NOT NULL);
    CREATE TABLE IF NOT EXISTS ${schema}.run (
      id uuid PRIMARY KEY, what text NOT NULL, holder text NOT NULL, beat_on timestamptz NOT NULL DEFAULT now());
    CREATE TABLE IF NOT EXISTS ${schema}.progress (
      job uuid PRIMARY KEY, run uuid NOT NULL REFERENCES ${schema}.run ON DELETE CASCADE,
      attempt integer NOT NULL, worker text NOT NULL, events bigint NOT NULL, bytes bigint NOT NULL);
    CREATE TABLE IF NOT EXISTS ${schema}.result (
      job uuid, attempt integer, part integer, run uuid NOT NULL REFERENCES ${schema}.run ON DELETE CASCADE,
      bytes bytea NOT NULL, PRIMARY KEY (job, attempt, part));
    ALTER TABLE ${schema}.result ALTER COLUMN bytes SET STORAGE EXTERNAL;
    CREATE INDEX IF NOT EXISTS result_run ON ${schema}.result (run);
    CREATE INDEX IF NOT EXISTS progress_run ON ${schema}.progress (run);
    DELETE FROM ${schema}.run WHERE beat_on < now() - interval '${KEEP_RUNS}';
    COMMIT`;
}

/** Makes what is missing. Throws `queue_refused` where the jobs are sealed with another key. */
export async function makeTables(database: QueueDatabase, keyCheck: string): Promise<void> {
  await database.executeSql(statements(database.schema));
  await checkKey(database, keyCheck);
}

/** False: there are no tables yet. Throws `queue_refused` where the jobs are sealed with another key. */
export async function checkKey(database: QueueDatabase, keyCheck: string): Promise<boolean> {
  const { schema, shown } = database;
  const found = await database.executeSql(`SELECT to_regclass('${schema}.progress_run') IS NOT NULL AS made`);
  if (found.rows[0]?.made !== true) return false;
  await database.executeSql(`DELETE FROM ${schema}.run WHERE beat_on < now() - interval '${KEEP_RUNS}'`);
  await database.executeSql(`INSERT INTO ${schema}.about VALUES ('key', $1) ON CONFLICT DO NOTHING`, [
    keyCheck,
  ]);
  const { rows } = await database.executeSql(`SELECT value FROM ${schema}.about WHERE name = 'key'`);
  if (rows[0]?.value === keyCheck) return true;
  throw new BackupError('queue_refused', `${shown}: the jobs of this queue are sealed with another key`, {
    hint: `give the key that the others have; for a new key while nobody works: DROP SCHEMA ${schema} CASCADE, or name another ?schema=`,
  });
}
