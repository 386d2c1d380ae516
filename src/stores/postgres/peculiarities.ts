import type pg from 'pg';
import { EVENTS, TRIGGERS } from '../layouts/eventcore-postgres.ts';

/**
 * What an events table has that a new one would not have, in words: what DROP TABLE would take with it or refuse for.
 * A table without any can be replaced by another one with nothing lost but its owner and his grants, which are copied.
 */
export async function findPeculiarities(client: pg.Client, oid: string): Promise<string[]> {
  const { rows } = await client.query<Record<string, boolean>>(PECULIARITIES, [
    oid,
    EVENTS.columns.map(({ name, type, modifiers }) => `${name} ${type} ${modifiers}`),
    [EVENTS.primaryKey.name],
    expectedIndexes(),
    TRIGGERS.map(({ name, event, functionName }) => expectedTrigger(name, event, functionName)).sort(),
  ]);
  return Object.entries(rows[0]!)
    .filter(([, isPresent]) => isPresent)
    .map(([name]) => name);
}

/** As pg_get_indexdef() spells them, with `{table}` for the qualified name. */
function expectedIndexes(): string[] {
  const { name, column } = EVENTS.primaryKey;
  return [{ name, unique: true, columns: column }, ...EVENTS.indexes]
    .map((index) => {
      const unique = index.unique ? 'UNIQUE ' : '';
      return `CREATE ${unique}INDEX ${index.name} ON {table} USING btree (${index.columns})`;
    })
    .sort();
}

/** As pg_get_triggerdef() spells them, then how the trigger is enabled (`O`: as CREATE TRIGGER leaves it). */
function expectedTrigger(name: string, event: string, functionName: string): string {
  return `CREATE TRIGGER ${name} BEFORE ${event} ON {table} FOR EACH ROW EXECUTE FUNCTION {schema}.${functionName}() O`;
}

/**
 * One column for each kind, true where there is such a thing. $1 oid; $2 to $5 what the layout has of columns,
 * constraints, indexes and triggers. Catalog columns that not every version has are read through to_jsonb().
 */
const PECULIARITIES = `
WITH target AS (
  SELECT c.*, quote_ident(n.nspname) AS schema_name,
         quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS full_name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid
), column_list AS (
  SELECT a.*, a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
           || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
           || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') AS spelled, t.typstorage, t.typcollation
    FROM pg_attribute a JOIN target ON a.attrelid = target.oid
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE a.attnum > 0 AND NOT a.attisdropped
), index_list AS (
  SELECT replace(pg_get_indexdef(indexrelid), full_name, '{table}') AS spelled
    FROM pg_index JOIN target ON indrelid = target.oid
   WHERE indisvalid AND NOT indisclustered AND NOT indisreplident
), trigger_list AS (
  SELECT replace(replace(pg_get_triggerdef(pg_trigger.oid), ' ON ' || full_name, ' ON {table}'),
                 ' ' || schema_name || '.', ' {schema}.') || ' ' || tgenabled::text AS spelled
    FROM pg_trigger JOIN target ON tgrelid = target.oid
   WHERE NOT tgisinternal
)
SELECT
  NOT EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR oid = relowner))
    AS "another owner",
  NOT has_schema_privilege(relnamespace, 'CREATE') AS "a schema without the right to create tables",
  relkind <> 'r' OR relpersistence <> 'p' OR relispartition OR reloftype <> 0 OR relhasrules
    OR relam <> (SELECT oid FROM pg_am WHERE amname = current_setting('default_table_access_method'))
    AS "another kind of table",
  relreplident <> 'd' AS "a replica identity",
  reltablespace <> 0 OR EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
    WHERE i.indrelid = target.oid AND x.reltablespace <> 0) AS "a tablespace",
  reloptions IS NOT NULL OR EXISTS (SELECT FROM pg_class t
    WHERE t.oid = target.reltoastrelid AND t.reloptions IS NOT NULL) AS "storage parameters",
  relrowsecurity OR relforcerowsecurity
    OR EXISTS (SELECT FROM pg_policy WHERE polrelid = target.oid) AS "row-level security",
  EXISTS (SELECT FROM pg_inherits WHERE target.oid IN (inhrelid, inhparent)) AS "inheritance",
  ARRAY(SELECT spelled FROM column_list ORDER BY attnum) IS DISTINCT FROM $2::text[] AS "other columns",
  EXISTS (SELECT FROM column_list a WHERE attacl IS NOT NULL OR attoptions IS NOT NULL
    OR attcollation <> typcollation OR attstorage <> typstorage
    OR coalesce(to_jsonb(a) ->> 'attcompression', '') <> ''
    OR coalesce((to_jsonb(a) ->> 'attstattarget')::int, -1) <> -1) AS "column settings or grants",
  ARRAY(SELECT conname FROM pg_constraint WHERE conrelid = target.oid AND contype <> 'n')
    IS DISTINCT FROM $3::name[] AS "other constraints",
  ARRAY(SELECT spelled FROM index_list ORDER BY spelled COLLATE "C") IS DISTINCT FROM $4::text[]
    AS "other indexes",
  ARRAY(SELECT spelled FROM trigger_list ORDER BY spelled COLLATE "C") IS DISTINCT FROM $5::text[]
    AS "other triggers",
  EXISTS (SELECT FROM pg_publication_tables
    WHERE schemaname = (SELECT nspname FROM pg_namespace WHERE oid = relnamespace) AND tablename = relname)
    AS "a publication",
  EXISTS (SELECT FROM pg_statistic_ext WHERE stxrelid = target.oid) AS "extended statistics",
  EXISTS (SELECT FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid = target.oid)
    OR EXISTS (SELECT FROM pg_seclabel WHERE classoid = 'pg_class'::regclass AND objoid = target.oid)
    AS "comments or labels",
  EXISTS (SELECT FROM aclexplode(relacl) WHERE grantor <> relowner) AS "grants by another role",
  EXISTS (SELECT FROM pg_depend WHERE deptype = 'n'
    AND ((refclassid = 'pg_class'::regclass AND refobjid = target.oid)
      OR (refclassid = 'pg_type'::regclass AND refobjid = target.reltype))) AS "views or other dependents"
FROM target`;
