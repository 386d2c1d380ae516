-- The right to watch over a store: its tables can be read and its indexes checked, and nothing of other schemas.
-- For eventcore monitor without repairs, doctor and status.
--
-- Run it in the store's database, as a superuser, or with CREATEROLE as a member of the owner of the tables; again whenever you like:
--
--     psql -d shop -f deploy/postgres/monitor.sql
DO $$
DECLARE
  -- What PGOPTIONS or SET may say otherwise: docs/roles.md.
  in_schema text := coalesce(nullif(current_setting('eventcore.schema', true), ''), 'public');
  names text := coalesce(nullif(current_setting('eventcore.tables', true), ''), 'eventcore_*, _sqlx_migrations');
  holder text := coalesce(nullif(current_setting('eventcore.monitor', true), ''), 'eventcore_monitor');
  -- How far standbys are behind, so that the monitor waits for them. Whoever may see that sees other sessions' statements too.
  sees_stats boolean := coalesce(nullif(current_setting('eventcore.monitor_stats', true), ''), 'off')::boolean;
  patterns text[] := (
    SELECT array_agg(replace(replace(replace(trim(name), '\', '\\'), '_', '\_'), '*', '%'))
      FROM unnest(string_to_array(names, ',')) AS name);
  found record;
  granted integer := 0;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = in_schema) THEN
    RAISE EXCEPTION 'there is no schema % in database %', in_schema, current_database()
      USING HINT = 'make the tables of the store first, or name their schema: SET eventcore.schema = ...';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = holder) THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', holder);
  END IF;
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), holder);
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', in_schema, holder);
  FOR found IN
    SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = in_schema AND c.relkind IN ('r', 'p') AND c.relname LIKE ANY (patterns)
  LOOP
    EXECUTE format('GRANT SELECT ON TABLE %s TO %I', found.name, holder);
    granted := granted + 1;
  END LOOP;
  IF granted = 0 THEN
    RAISE EXCEPTION 'no table of schema % is named like %', in_schema, names
      USING HINT = 'make the tables of the store first, or say how they are named: SET eventcore.tables = ...';
  END IF;
  -- In a schema that is all the store's, tables of tomorrow too: partitions, say. Elsewhere they would be anybody's.
  IF '%' = ANY (patterns) THEN
    FOR found IN
      SELECT DISTINCT pg_get_userbyid(c.relowner) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = in_schema AND c.relkind IN ('r', 'p')
    LOOP
      EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO %I',
        found.name, in_schema, holder);
    END LOOP;
  END IF;
  -- The extension is made by a superuser: CREATE EXTENSION amcheck. So are its functions, which only that one gives on, and who got them to give on.
  FOR found IN
    SELECT n.nspname AS schema, p.oid::regprocedure AS name, has_function_privilege(p.oid, 'EXECUTE WITH GRANT OPTION') AS is_ours
      FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace JOIN pg_proc p ON p.pronamespace = n.oid
     WHERE e.extname = 'amcheck' AND p.proname = 'bt_index_check'
  LOOP
    IF NOT found.is_ours THEN
      RAISE WARNING 'indexes will not be checked: % may not give % on', current_user, found.name
        USING HINT = format('as a superuser: GRANT EXECUTE ON FUNCTION %s TO %I', found.name, holder);
      CONTINUE;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', found.schema, holder);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', found.name, holder);
  END LOOP;
  IF sees_stats THEN
    EXECUTE format('GRANT pg_read_all_stats TO %I', holder);
  END IF;
END
$$;
