import { digestAt } from '../../harness/command.ts';
import type { Row, StoreSpecimen } from './specimen.ts';

/** What a store is, in parts that can be compared: its events, what belongs to them, and what guards them. */
export interface StoreState {
  readonly events: string;
  readonly companions: readonly Row[];
  readonly guards: readonly Row[];
}

const COMPANIONS = ['eventcore_subscription_versions', 'eventcore_command_state_snapshots'];

const POSTGRES_GUARDS = `
  SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition,
         (indisvalid AND indisready AND indislive)::text AS state
    FROM pg_index WHERE indrelid = 'eventcore_events'::regclass
  UNION ALL
  SELECT t.tgname, pg_get_triggerdef(t.oid) || p.prosrc, t.tgenabled::text
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
   WHERE t.tgrelid = 'eventcore_events'::regclass AND NOT t.tgisinternal
  UNION ALL
  SELECT conname, pg_get_constraintdef(oid), convalidated::text FROM pg_constraint
   WHERE conrelid = 'eventcore_events'::regclass ORDER BY 1, 2`;

const SQLITE_GUARDS = `SELECT name, sql AS definition, type AS state FROM sqlite_schema
  WHERE tbl_name = 'eventcore_events' ORDER BY name`;

export async function stateOf(specimen: StoreSpecimen): Promise<StoreState> {
  const { kind, sql, address } = specimen;
  const companions: Row[] = [];
  for (const table of COMPANIONS) for (const row of await sql(`SELECT * FROM ${table}`)) companions.push(row);
  const guards = await sql(kind === 'postgres' ? POSTGRES_GUARDS : SQLITE_GUARDS);
  return { events: await digestAt(address), companions, guards: guards.map((row) => ({ ...row })) };
}
