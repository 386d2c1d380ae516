import type { SqlRow } from '../../core/inspection.ts';
import type { CheckDefinition, CheckFound } from './check.ts';

export const CHECKSUM_FAILURES: CheckDefinition = {
  name: 'checksum_failures',
  proves: 'The server has met no page with a wrong checksum since its statistics began.',
  rung: 'catalog',
  severity: 'damage',
  every: 'run',
  repaired: 'not by itself: replace the disk, restore what it held; pg_stat_reset() forgets what was counted',
  questions: ({ dialect }) =>
    dialect === 'postgres' ? [{ sql: FAILURES, answer: failed }] : 'SQLite has no checksums on its pages',
};

/** Without a name: what all databases share. */
const FAILURES = `SELECT coalesce(datname::text, 'what all databases share') AS name, checksum_failures AS failures,
    checksum_last_failure AS last
  FROM pg_stat_database
  WHERE checksum_failures > 0 AND (datname = current_database() OR datname IS NULL)`;

function failed({ name, failures, last }: SqlRow): CheckFound {
  const message = `${failures} pages had a wrong checksum in ${name}, the last one at ${last}: the disk changes data`;
  return { object: name!, message };
}
