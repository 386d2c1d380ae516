-- The right to follow a store's commits: a publication of its events and of nothing else. No schema can be used and no table read by SQL.
-- For eventcore archive. REPLICATION itself is an attribute of who logs in, and is not inherited: logins.sql gives it.
--
-- Run it in the store's database, as a superuser, or with CREATEROLE as a member of the owner of the tables; again whenever you like:
--
--     psql -d shop -f deploy/postgres/archive.sql
DO $$
DECLARE
  -- What PGOPTIONS or SET may say otherwise: docs/roles.md.
  in_schema text := coalesce(nullif(current_setting('eventcore.schema', true), ''), 'public');
  holder text := coalesce(nullif(current_setting('eventcore.archive', true), ''), 'eventcore_archive');
  -- The name that eventcore archive looks for.
  feed text := 'eventcore_' || left(encode(sha256(convert_to(
    (SELECT oid FROM pg_database WHERE datname = current_database()) || '/' || in_schema, 'UTF8')), 'hex'), 12);
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = holder) THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', holder);
  END IF;
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), holder);
  -- Made by the owner of the table, who needs CREATE on the database for it, or by a superuser.
  IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = feed) THEN
    EXECUTE format(
      'CREATE PUBLICATION %I FOR TABLE %I.eventcore_events WITH (publish = ''insert, update, delete, truncate'')',
      feed, in_schema);
  END IF;
END
$$;
