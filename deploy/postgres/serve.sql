-- What a daemon may do that runs all jobs of a store as one role: to back up, to follow the commits and to watch. It cannot write.
-- For eventcore serve, and CronJobs that share a login. REPLICATION itself is an attribute of who logs in, and is not inherited: logins.sql gives it.
--
-- Run it after backup.sql, archive.sql and monitor.sql, as a superuser, or with CREATEROLE as who ran those; again whenever you like:
--
--     psql -d shop -f deploy/postgres/serve.sql
DO $$
DECLARE
  -- What PGOPTIONS or SET may say otherwise: docs/roles.md.
  holder text := coalesce(nullif(current_setting('eventcore.serve', true), ''), 'eventcore_serve');
  part text;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = holder) THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', holder);
  END IF;
  FOREACH part IN ARRAY ARRAY[
    coalesce(nullif(current_setting('eventcore.backup', true), ''), 'eventcore_backup'),
    coalesce(nullif(current_setting('eventcore.archive', true), ''), 'eventcore_archive'),
    coalesce(nullif(current_setting('eventcore.monitor', true), ''), 'eventcore_monitor')]
  LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = part) THEN
      RAISE NOTICE 'there is no role %, so % does without', part, holder;
    ELSIF NOT pg_has_role(holder, part, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO %I', part, holder);
    END IF;
  END LOOP;
END
$$;
