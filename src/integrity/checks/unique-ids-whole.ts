import type { SqlNames } from '../../core/inspection.ts';
import { type CheckDefinition, keptByOthers } from './check.ts';
import { shared, UNIQUE_IDS } from './unique-ids.ts';

export const UNIQUE_IDS_WHOLE: CheckDefinition = {
  name: 'unique_ids_whole',
  proves:
    'No two events of the store that are of different streams or versions have one id, whatever the index of the ids tells.',
  rung: 'streams',
  severity: 'damage',
  every: 'sweep',
  repaired: UNIQUE_IDS.repaired,
  questions: (names) =>
    keptByOthers(names) ?? [
      {
        sql: sharedSql(names),
        ...(names.dialect === 'postgres' ? { settings: FROM_THE_TABLE } : {}),
        answer: shared,
      },
    ],
};

const FROM_THE_TABLE = { enable_indexscan: 'off', enable_indexonlyscan: 'off', enable_bitmapscan: 'off' };

function sharedSql({ events, unindexed, id, stream, version }: SqlNames): string {
  return `SELECT e.${id} AS id, min(e.${stream}) AS stream, min(e.${version}) AS version, count(*) AS events
      FROM ${events} AS e ${unindexed}
      JOIN (SELECT ${id} AS id FROM ${events} ${unindexed} GROUP BY ${id} HAVING count(*) > 1) AS twice ON twice.id = e.${id}
     GROUP BY e.${id}
    HAVING min(e.${stream}) <> max(e.${stream}) OR min(e.${version}) <> max(e.${version})`;
}
