import type { SqlRow } from '../../core/inspection.ts';
import type { CheckDefinition, CheckFound } from './check.ts';

export const SERVER_SAFETY: CheckDefinition = {
  name: 'server_safety',
  proves: 'The server has checksums on its pages, and loses nothing that it has confirmed when it crashes.',
  rung: 'catalog',
  severity: 'risk',
  every: 'sweep',
  repaired: 'not by itself: these are settings of the server',
  questions: ({ dialect }) =>
    dialect === 'postgres'
      ? [{ sql: UNSAFE, answer: unsafe }]
      : 'SQLite keeps such settings for each connection: those of the writers cannot be seen',
};

const UNSAFE = `SELECT name, setting FROM pg_settings
  WHERE (name IN ('fsync', 'full_page_writes', 'data_checksums') AND setting = 'off')
     OR (name IN ('zero_damaged_pages', 'ignore_checksum_failure') AND setting = 'on')`;

const MESSAGES: Readonly<Record<string, string>> = {
  fsync: 'a crash of the machine may lose or damage anything (fsync = off)',
  full_page_writes: 'a crash of the machine may leave pages half-written (full_page_writes = off)',
  data_checksums:
    'pages have no checksums, so the server does not notice when a disk changes them: pg_checksums --enable',
  zero_damaged_pages: 'damaged pages are silently taken for empty ones (zero_damaged_pages = on)',
  ignore_checksum_failure: 'pages with a wrong checksum are used all the same (ignore_checksum_failure = on)',
};

function unsafe({ name }: SqlRow): CheckFound {
  return { object: name!, message: MESSAGES[name!]! };
}
