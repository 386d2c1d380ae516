-- The right to restore into a store: what a restore makes can be made, and what belongs to the owner of the store's tables replaced.
-- For eventcore restore (also --replace, --stream, --merge) and monitor --repair. Give it to nobody who only backs up.
--
-- Run it in the store's database, as a superuser, or with CREATEROLE as a member of the owner of the tables; again whenever you like:
--
--     psql -d shop -f deploy/postgres/restore.sql
DO $$
DECLARE
  -- What PGOPTIONS or SET may say otherwise: docs/roles.md.
  in_schema text := coalesce(nullif(current_setting('eventcore.schema', true), ''), 'public');
  names text := coalesce(nullif(current_setting('eventcore.tables', true), ''), 'eventcore_*, _sqlx_migrations');
  holder text := coalesce(nullif(current_setting('eventcore.restore', true), ''), 'eventcore_restore');
  patterns text[] := (
    SELECT array_agg(replace(replace(replace(trim(name), '\', '\\'), '_', '\_'), '*', '%'))
      FROM unnest(string_to_array(names, ',')) AS name);
  found record;
  is_made boolean := false;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = holder) THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', holder);
  END IF;
  -- CREATE: events are loaded into a schema of their own, which is then dropped. TEMPORARY: what is compared before it is merged.
  EXECUTE format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO %I', current_database(), holder);
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = in_schema) THEN
    RETURN; -- The restore makes it.
  END IF;
  -- Tables are replaced by who owns them. Let their owner own nothing else.
  FOR found IN
    SELECT DISTINCT r.rolname AS name, r.rolsuper AS is_superuser
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
     WHERE n.nspname = in_schema AND c.relkind IN ('r', 'p') AND c.relname LIKE ANY (patterns)
  LOOP
    IF found.is_superuser THEN
      RAISE EXCEPTION 'tables of the store belong to %, a superuser: whoever restores would be one', found.name
        USING HINT = 'give them to a role of their own: ALTER TABLE ... OWNER TO ...';
    END IF;
    -- Who is a member already needs nobody with the right to make it one: CloudNativePG does that (spec.managed.roles).
    IF NOT pg_has_role(holder, found.name, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO %I', found.name, holder);
    END IF;
    is_made := true;
  END LOOP;
  -- Where there are no tables yet, the restore makes them, and they are then the restoring role's.
  IF NOT is_made THEN
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', in_schema, holder);
  END IF;
END
$$;
