import { BackupError } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import type { SqlNames, StoreInspection } from '../core/inspection.ts';

/** Finds events of a store by their ids, wherever they stand. */
export interface EventLookup {
  /** By the id in lower case. */
  find(
    ids: readonly string[],
    what: 'places' | 'content',
    signal: AbortSignal,
  ): Promise<Map<string, FoundEvent>>;
  close(): Promise<void>;
}

export interface FoundEvent {
  readonly streamId: string;
  readonly version: number;
  /** Empty where only places were asked for. */
  readonly type: string;
  readonly data: string | null;
  readonly metadata: string | null;
}

/** A statement looks up so many, each by the index of the ids. */
const IDS_AT_ONCE = 500;
const STATEMENT_TIMEOUT_MS = 60_000;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Nothing is connected before the first question, which throws `store_unsupported` where a store answers no statements. */
export function openLookup(store: EventStore): EventLookup {
  let inspection: StoreInspection | null = null;
  return {
    close: async () => inspection?.close(),
    async find(ids, what, signal) {
      const found = new Map<string, FoundEvent>();
      if (ids.length === 0) return found;
      inspection ??= await inspect(store);
      // A column of UUIDs has no others, and does not like to be asked for them.
      const askable = inspection.names.dialect === 'postgres' ? ids.filter((id) => UUID.test(id)) : ids;
      for (let at = 0; at < askable.length; at += IDS_AT_ONCE)
        await findSome(inspection, askable.slice(at, at + IDS_AT_ONCE), { what, signal, found });
      return found;
    },
  };
}

async function inspect(store: EventStore): Promise<StoreInspection> {
  const inspection = await store.openInspection({ statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  if (inspection !== null) return inspection;
  throw new BackupError('store_unsupported', `${store.address} cannot be asked for events by their ids`, {
    hint: 'stores that can be compared are SQLite and PostgreSQL',
  });
}

interface Search {
  readonly what: 'places' | 'content';
  readonly signal: AbortSignal;
  readonly found: Map<string, FoundEvent>;
}

async function findSome(
  { names, select }: StoreInspection,
  ids: readonly string[],
  { what, signal, found }: Search,
): Promise<void> {
  const parameters = names.dialect === 'postgres' ? [ids] : ids;
  for await (const row of select(findSql(names, ids.length, what), { parameters, signal })) {
    const { id, stream, version, type = '', data = null, metadata = null } = row;
    found.set(id!.toLowerCase(), {
      ...{ streamId: stream!, version: Number(version), type: type ?? '', data, metadata },
    });
  }
}

function findSql(names: SqlNames, count: number, what: Search['what']): string {
  const { events, id, stream, version, type, data, metadata, dialect } = names;
  const places = `${id} AS id, ${stream} AS stream, ${version} AS version`;
  const all =
    what === 'places' ? places : `${places}, ${type} AS type, ${data} AS data, ${metadata} AS metadata`;
  const list = Array.from({ length: count }, (_, i) => `?${i + 1}`).join(', ');
  const condition = dialect === 'postgres' ? `${id} = ANY ($1::uuid[])` : `${id} IN (${list})`;
  return `SELECT ${all} FROM ${events} WHERE ${condition}`;
}
