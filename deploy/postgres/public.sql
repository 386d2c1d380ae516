-- What every role of the server may do with a store because everybody may, taken back. Who was granted something by name keeps it.
--
-- Run it in the store's database, as a superuser or a member of the owner of schema and tables; again whenever you like:
--
--     psql -d shop -f deploy/postgres/public.sql
DO $$
DECLARE
  -- What PGOPTIONS or SET may say otherwise: docs/roles.md.
  in_schema text := coalesce(nullif(current_setting('eventcore.schema', true), ''), 'public');
  names text := coalesce(nullif(current_setting('eventcore.tables', true), ''), 'eventcore_*, _sqlx_migrations');
  patterns text[] := (
    SELECT array_agg(replace(replace(replace(trim(name), '\', '\\'), '_', '\_'), '*', '%'))
      FROM unnest(string_to_array(names, ',')) AS name);
  found record;
BEGIN
  -- Until PostgreSQL 14 everybody may make tables in the schema public of a new database; an upgrade leaves that as it is.
  EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', in_schema);
  FOR found IN
    SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = in_schema AND c.relkind IN ('r', 'p') AND c.relname LIKE ANY (patterns)
  LOOP
    EXECUTE format('REVOKE ALL ON TABLE %s FROM PUBLIC', found.name);
  END LOOP;
END
$$;
