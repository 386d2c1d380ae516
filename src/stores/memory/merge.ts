import { BackupError } from '../../core/errors.ts';
import type { MergedStream, MergeSession } from '../../core/event-store.ts';
import { nameText } from '../../core/name-text.ts';
import { timeFromUnixMs } from '../../core/time.ts';
import { assertUnique, openWriter } from './restore.ts';
import type { MemoryEvent, MemoryState } from './state.ts';
import { compareBytes } from './summaries.ts';

/** Collects what is written, and puts what is missing behind the store's events at once. */
export function openMemoryMerge(
  state: MemoryState,
  { now, onCommit }: { now: () => number; onCommit: () => void },
): MergeSession {
  const written: MemoryEvent[] = [];
  let compared: readonly MemoryEvent[] | null = null;
  return {
    openWriter: async () => openWriter(written),
    compare: async function* () {
      assertUnique(written);
      compared = state.events;
      yield* compareEvents(written, compared);
    },
    publish: async () => {
      if (compared !== state.events) {
        throw new BackupError('version_conflict', 'memory: has other events than were compared', {
          hint: 'try again',
        });
      }
      const places = new Set(compared.map(placeOf));
      const missing = written.filter((event) => !places.has(placeOf(event)));
      if (missing.length === 0) return 0;
      state.events = [...compared, ...missing];
      const commit = { end: state.events.length, time: timeFromUnixMs(now()) };
      state.commits = [...state.commits, commit];
      onCommit();
      return missing.length;
    },
    discard: async () => {
      written.length = 0;
    },
  };
}

function compareEvents(written: readonly MemoryEvent[], held: readonly MemoryEvent[]): MergedStream[] {
  const byPlace = new Map(held.map((event) => [placeOf(event), event]));
  const byId = new Map(held.map((event) => [textOf(event.id), event]));
  const isMissing = (event: MemoryEvent): boolean => !byPlace.has(placeOf(event));
  const isConflict = (event: MemoryEvent): boolean => {
    const at = byPlace.get(placeOf(event));
    const same = byId.get(textOf(event.id));
    return at === undefined ? same !== undefined : at !== same;
  };
  const streams = [...Map.groupBy(written, ({ stream }) => textOf(stream)).values()];
  streams.sort((a, b) => compareBytes(a[0]!.stream, b[0]!.stream));
  return streams.map((events) => {
    const { stream } = events[0]!;
    const missing = events.filter(isMissing);
    const live = held.filter((event) => compareBytes(event.stream, stream) === 0);
    return {
      streamId: nameText(stream),
      written: events.length,
      missing: missing.length,
      firstMissing: least(missing),
      lastMissing: greatest(missing),
      storeLast: greatest(live),
      conflictAt: least(events.filter(isConflict)),
    };
  });
}

function least(events: readonly MemoryEvent[]): number | null {
  return events.reduce<number | null>((best, { version }) => Math.min(best ?? version, version), null);
}

function greatest(events: readonly MemoryEvent[]): number | null {
  return events.reduce<number | null>((best, { version }) => Math.max(best ?? version, version), null);
}

function placeOf({ stream, version }: MemoryEvent): string {
  return `${version} ${textOf(stream)}`;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
