-- Who logs in: JOB_login for each group eventcore_JOB that was made, and a member of that one alone. Passwords are set afterwards, unseen: psql's \password NAME.
-- Delete those that nobody needs: one that does not exist cannot be stolen.
--
-- Run it as a superuser: before PostgreSQL 16 nobody else may give REPLICATION away. From 16 on, who has it and CREATEROLE may too.
DO $$
DECLARE
  wanted record;
BEGIN
  FOR wanted IN
    SELECT * FROM (VALUES
      ('backup_login', 'eventcore_backup', ''),
      ('archive_login', 'eventcore_archive', 'REPLICATION'),
      ('monitor_login', 'eventcore_monitor', ''),
      ('restore_login', 'eventcore_restore', ''),
      ('serve_login', 'eventcore_serve', 'REPLICATION'),
      ('queue_login', 'eventcore_queue', ''),
      ('disaster_login', 'eventcore_disaster', '')
    ) AS logins (name, holder, attributes)
    WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = holder)
      AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = logins.name)
  LOOP
    EXECUTE format('CREATE ROLE %I LOGIN %s IN ROLE %I', wanted.name, wanted.attributes, wanted.holder);
  END LOOP;
END
$$;
