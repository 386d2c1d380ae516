import type { SqlCheckpoints, SqlNames, SqlRow } from '../../core/inspection.ts';
import type { CheckDefinition, CheckFound } from './check.ts';

export const CHECKPOINTS: CheckDefinition = {
  name: 'checkpoints',
  proves: 'No consumer claims to have seen more than the store holds: it would skip what comes next.',
  rung: 'catalog',
  severity: 'damage',
  every: 'run',
  repaired: 'set back to the last event; what it was is kept aside',
  questions: (names) => {
    const { checkpoints } = names;
    if (checkpoints === null) return 'the store keeps no checkpoints';
    return [{ sql: aheadSql(names, checkpoints), answer: (row) => ahead(row, names, checkpoints) }];
  },
};

/** The greatest id, by an index. */
function greatestId({ events, id }: SqlNames): string {
  return `(SELECT ${id} FROM ${events} ORDER BY ${id} DESC LIMIT 1)`;
}

/** Ids that are no UUIDs have no order that a checkpoint could use. Capitals sort elsewhere, so what seems ahead is asked for again. */
function aheadSql(names: SqlNames, { table, name, position }: SqlCheckpoints): string {
  const { events, id, dialect } = names;
  const list = `SELECT ${name} AS consumer, ${position} AS position, ${greatestId(names)} AS greatest FROM ${table}`;
  if (dialect === 'postgres') {
    return `SELECT consumer, greatest FROM (${list}) AS compared WHERE greatest IS NULL OR position > greatest`;
  }
  return `SELECT consumer, greatest FROM (${list}) AS compared
    WHERE greatest IS NULL OR (length(greatest) = 36 AND greatest GLOB '????????-????-????-????-????????????'
      AND lower(position) > lower(greatest)
      AND NOT EXISTS (SELECT 1 FROM ${events} WHERE lower(${id}) >= lower(position)))`;
}

function ahead(row: SqlRow, names: SqlNames, { table, name, position }: SqlCheckpoints): CheckFound {
  const object = row.consumer!;
  if (row.greatest === null) {
    return {
      object,
      message: `checkpoint ${object} is ahead: the store has no event at all, so there is none to set it back to`,
    };
  }
  const parameter = names.dialect === 'postgres' ? '$1' : '?1';
  const theirs = `${name} = ${parameter}`;
  return {
    object,
    message: `checkpoint ${object} is ahead of the last event, ${row.greatest}`,
    repair: 'clamp_checkpoint',
    statements: [
      {
        sql: `UPDATE ${table} SET ${position} = ${greatestId(names)} WHERE ${theirs} AND ${position} > ${greatestId(names)}`,
        parameters: [object],
        reason: `set checkpoint ${object} back to the last event`,
        before: { sql: `SELECT * FROM ${table} WHERE ${theirs}`, parameters: [object] },
      },
    ],
  };
}
