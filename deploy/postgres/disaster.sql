-- The right to fence and to promote a server without being its superuser, for eventcore dr and its guard.
--
-- Whoever has it can read and write every file of the server: to a thief it is as good as a superuser, and only spares you mistakes.
-- To assess and to sample (dr assess, dr sample), pg_monitor alone is enough.
--
-- Run it on the primary, in the database of the events, as a superuser; again whenever you like:
--
--     psql -d shop -f deploy/postgres/disaster.sql
DO $$
DECLARE
  -- What PGOPTIONS or SET may say otherwise: docs/roles.md.
  holder text := coalesce(nullif(current_setting('eventcore.disaster', true), ''), 'eventcore_disaster');
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = holder) THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', holder);
  END IF;
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), holder);
  EXECUTE format('GRANT pg_monitor, pg_read_server_files, pg_write_server_files, pg_signal_backend TO %I', holder);
  EXECUTE format('GRANT SELECT ON pg_hba_file_rules TO %I', holder);
  EXECUTE format('GRANT EXECUTE ON FUNCTION pg_hba_file_rules(), pg_reload_conf(), pg_promote(boolean, integer),
    pg_read_file(text, bigint, bigint, boolean), pg_read_binary_file(text, bigint, bigint, boolean) TO %I', holder);
END
$$;
