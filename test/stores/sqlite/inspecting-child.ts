import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';

/** Asks a store something that has no end, and says so as soon as it is asked. */
const store = openSqliteStore(process.argv[2]!);
const inspection = (await store.openInspection({ statementTimeoutMs: 600_000 }))!;
for await (const _ of inspection.select('SELECT 1')) process.send!('asking');
for await (const _ of inspection.select(
  'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 - i FROM n) SELECT count(*) FROM n',
));
