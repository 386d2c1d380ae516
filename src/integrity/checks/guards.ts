import type { SqlGuard, SqlNames, SqlRow } from '../../core/inspection.ts';
import type { RepairStatement } from '../../core/repair.ts';
import { type CheckDefinition, type CheckFound, literal } from './check.ts';

/**
 * A function is taken for the layout's also when its text is another one, as long as it can refuse: EventCore's own migrations may
 * word it otherwise. One that cannot has been hollowed out.
 */
export const GUARDS: CheckDefinition = {
  name: 'guards',
  proves: 'Each trigger that numbers events and keeps them as they are is there, fires, and can refuse.',
  rung: 'catalog',
  severity: 'risk',
  every: 'run',
  repaired: 'made as the layout has it, or switched on again; what it was is kept aside',
  questions: (names) => {
    if (names.guards.length === 0) return 'the layout has no triggers here';
    return [
      { sql: triggersSql(names), answer: (row) => judge(row, names) },
      { sql: SWITCHED_OFF_FOR_ALL, answer: ({ database }) => switchedOff(database ?? null) },
    ];
  },
};

function triggersSql({ events, guards }: SqlNames): string {
  const wanted = guards.map(({ name }) => `(${literal(name)})`).join(', ');
  return `SELECT g.name, t.tgenabled::text AS state, t.tgtype::text AS kind, p.prosrc AS body,
      t.tgqual IS NOT NULL OR cardinality(t.tgattr::int2[]) > 0 AS narrowed
    FROM (VALUES ${wanted}) AS g(name)
    LEFT JOIN pg_trigger t ON t.tgname = g.name AND t.tgrelid = ${literal(events)}::regclass AND NOT t.tgisinternal
    LEFT JOIN pg_proc p ON p.oid = t.tgfoid`;
}

/** Whoever connects would be taken for a replica, for whom triggers do not fire. */
const SWITCHED_OFF_FOR_ALL = `SELECT d.datname AS database
    FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS c(setting) LEFT JOIN pg_database d ON d.oid = s.setdatabase
   WHERE s.setrole = 0 AND (s.setdatabase = 0 OR d.datname = current_database())
     AND c.setting = 'session_replication_role=replica'`;

function switchedOff(database: string | null): CheckFound {
  const whose = database === null ? 'the server' : 'the database';
  return {
    object: 'session_replication_role',
    message: `${whose} makes every session a replica, for which no trigger fires: take the setting back (ALTER … RESET)`,
  };
}

/** Of pg_trigger.tgtype: for each row, and before it. */
const ROW_BEFORE = 3;
const EVENT_BITS = { INSERT: 4, DELETE: 8, UPDATE: 16 } as const;

function judge(row: SqlRow, names: SqlNames): CheckFound | null {
  const guard = names.guards.find(({ name }) => name === row.name)!;
  if (row.state === null) return broken(guard, names, 'is missing');
  const fires = Number(row.kind) === ROW_BEFORE + EVENT_BITS[guard.event] && row.narrowed !== 't';
  if (!fires) return broken(guard, names, 'does not fire before each row');
  if (isHollow(row.body ?? '', guard)) return broken(guard, names, 'runs a function that refuses nothing');
  if (row.state === 'O' || row.state === 'A') return null;
  const enable = { sql: guard.enable, reason: `switch trigger ${guard.name} on`, before: null };
  return {
    object: guard.name,
    message: `trigger ${guard.name} is switched off`,
    repair: 'restore_guards',
    statements: [enable],
  };
}

function isHollow(body: string, { functionBody }: SqlGuard): boolean {
  if (body === functionBody) return false;
  const code = body.replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\//g, '');
  return !/\braise\s+exception\b/i.test(code);
}

function broken(guard: SqlGuard, { events }: SqlNames, says: string): CheckFound {
  const before = {
    sql: `SELECT pg_get_triggerdef(t.oid) AS trigger, pg_get_functiondef(t.tgfoid) AS function FROM pg_trigger t
      WHERE t.tgname = $1 AND t.tgrelid = $2::regclass AND NOT t.tgisinternal`,
    parameters: [guard.name, events],
  };
  const statements = guard.create.map(
    (sql, i): RepairStatement => ({
      sql,
      reason: `make trigger ${guard.name} as the layout has it`,
      before: i === 0 ? before : null,
    }),
  );
  return {
    object: guard.name,
    message: `trigger ${guard.name} ${says}`,
    repair: 'restore_guards',
    statements,
  };
}
