import { BackupError } from '../../core/errors.ts';
import type {
  BatchWriter,
  CompanionRow,
  RestoreSession,
  RestoreSessionOptions,
} from '../../core/event-store.ts';
import { unpackBatch } from './batches.ts';
import type { MemoryEvent, MemoryState } from './state.ts';
import { summarise } from './summaries.ts';

/** Columns of the companion tables of the layout. */
const COMPANIONS: Readonly<Record<string, readonly string[]>> = {
  eventcore_subscription_versions: ['subscription_name', 'last_position', 'updated_at'],
  eventcore_command_state_snapshots: ['snapshot_id', 'snapshot_data', 'updated_at'],
};

/** Collects what is written and puts it in the store's place at once. */
export function openMemoryRestore(state: MemoryState, { replace }: RestoreSessionOptions): RestoreSession {
  if (state.restoring) throw new BackupError('lease_held', 'another restore into memory: is under way');
  if (!replace && (state.events.length > 0 || state.companions.length > 0)) {
    throw new BackupError('target_not_empty', 'memory: holds events or what belongs to them', {
      hint: 'allow the restore to replace them, or take another target',
    });
  }
  state.restoring = true;
  const loaded: MemoryEvent[] = [];
  const companions: CompanionRow[] = [];
  let open = true;
  const end = (): void => {
    if (open) state.restoring = false;
    open = false;
  };
  return {
    token: null,
    discarded: [],
    openWriter: async () => openWriter(loaded),
    writeCompanion: async (row) => {
      if (!hasPlace(row)) return false;
      companions.push(row);
      return true;
    },
    finishLoad: async () => assertUnique(loaded),
    readSummaries: async function* () {
      yield* summarise(loaded);
    },
    publish: async () => {
      Object.assign(state, { initialised: true, events: loaded, commits: [], companions });
      state.timeline += 1;
      end();
    },
    discard: async () => end(),
  };
}

export function openWriter(loaded: MemoryEvent[]): BatchWriter {
  let written: MemoryEvent[] = [];
  return {
    write: async (batch) => {
      for (const event of unpackBatch(batch)) written.push(event);
    },
    end: async () => {
      for (const event of written) loaded.push(event);
      written = [];
    },
    abort: async () => {
      written = [];
    },
  };
}

function hasPlace({ table, values }: CompanionRow): boolean {
  const columns = COMPANIONS[table];
  const given = Object.keys(values);
  return (
    columns !== undefined && given.length === columns.length && given.every((name) => columns.includes(name))
  );
}

export function assertUnique(events: readonly MemoryEvent[]): void {
  const ids = new Set<string>();
  const versions = new Set<string>();
  for (const { id, stream, version } of events) {
    const idText = Buffer.from(id).toString('latin1');
    const place = `${version} ${Buffer.from(stream).toString('latin1')}`;
    if (ids.has(idText))
      throw new BackupError('value_not_storable', `two events have the id ${Buffer.from(id)}`);
    if (versions.has(place)) {
      throw new BackupError(
        'value_not_storable',
        `two events of stream "${Buffer.from(stream)}" have version ${version}`,
      );
    }
    ids.add(idText);
    versions.add(place);
  }
}
