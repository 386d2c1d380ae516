-- The right to keep a queue of jobs for workers in a database that was made for it: its schema is made there at first use, by who logs in.
-- For eventcore worker, and for whoever has work to give (--queue). It sees nothing of stores; what waits in a queue is sealed.
--
-- Run it in the queue's database, as its owner or a superuser; again whenever you like:
--
--     createdb eventcore_queue && psql -d eventcore_queue -f deploy/postgres/queue.sql
DO $$
DECLARE
  -- What PGOPTIONS or SET may say otherwise: docs/roles.md.
  holder text := coalesce(nullif(current_setting('eventcore.queue', true), ''), 'eventcore_queue');
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = holder) THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', holder);
  END IF;
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO %I', current_database(), holder);
END
$$;
