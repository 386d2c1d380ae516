import { type EventBatch, type Spans, spanBytes } from '../../core/event-batch.ts';
import type { StoreSnapshot } from '../../core/event-store.ts';
import { nameBytes, nameText } from '../../core/name-text.ts';
import type { PastStore } from '../../core/past-store.ts';
import { findOrAdd, findStream, makeStreamTable, type StreamTable } from '../../core/stream-table.ts';
import { formatTime } from '../../core/time.ts';
import { formatUuid } from '../../core/uuid-text.ts';
import { fieldDigest } from '../../format/content-digest.ts';
import { comparableId, type DiffKind, type EventField } from './event-match.ts';
import { planLive, readLive } from './live-rows.ts';
import { diffPayloads, excerpt, type KeptPayload, type PayloadDiff } from './payload.ts';

/** One event as one side has it. */
export interface EventSide {
  readonly id: string;
  readonly type: string;
  /** RFC 3339, or the store's own text where that is no such time. */
  readonly time: string;
  /** What its data begin with; only where payloads are asked for and the other side has no such event. */
  readonly excerpt?: string;
}

/** One event that the two sides have not alike. */
export interface EventDiff {
  readonly version: number;
  readonly kind: DiffKind | 'newer';
  readonly past: EventSide | null;
  readonly live: EventSide | null;
  /** Which fields differ, where both sides have an event. */
  readonly fields: readonly EventField[];
  readonly data: PayloadDiff | null;
  readonly metadata: PayloadDiff | null;
}

/** Versions of one stream whose events are to be shown. */
export interface WantedEvents {
  readonly streamId: string;
  /** The past's last version; null when it has no such stream. */
  readonly pastHead: number | null;
  readonly versions: readonly number[];
  /** How many there are of the stream, about. */
  readonly eventsInAll: number;
}

export interface EventOptions {
  /** Show what payloads hold where they part. */
  readonly payloads: boolean;
  /** Of the store, about. */
  readonly totalEvents: number;
  readonly signal?: AbortSignal | undefined;
}

interface Kept {
  /** The same for the same id, however it is written. */
  readonly key: string;
  /** Of all of the type: what is shown of it may be shortened. */
  readonly typeDigest: string;
  readonly side: Omit<EventSide, 'excerpt'>;
  readonly data: KeptPayload;
  readonly metadata: KeptPayload;
}

interface KeptVersion {
  readonly past: Kept[];
  readonly live: Kept[];
}

/** Of payloads that are held at a time, all together. */
const KEPT_BYTES = 64 << 20;
const MOST_OF_ONE = 64 << 10;
const LEAST_OF_ONE = 1 << 10;
/** Events of one version that are looked at: a store without its guards may hold any number. */
const MOST_OF_VERSION = 8;

/** Reads single events of both sides, and says how they differ: stream by stream, as they are wanted. */
export async function readEventDiffs(
  snapshot: StoreSnapshot,
  past: PastStore,
  wanted: readonly WantedEvents[],
  options: EventOptions,
): Promise<EventDiff[][]> {
  const table = makeStreamTable(wanted.length);
  const kept = wanted.map(({ streamId, versions }) => {
    const name = nameBytes(streamId);
    findOrAdd(table, name, 0, name.length);
    return new Map(versions.map((version): [number, KeptVersion] => [version, { past: [], live: [] }]));
  });
  const count = wanted.reduce((sum, { versions }) => sum + versions.length, 0);
  const most = Math.min(MOST_OF_ONE, Math.max(LEAST_OF_ONE, Math.floor(KEPT_BYTES / (4 * count + 1))));
  const keep = (side: keyof KeptVersion) => (batch: EventBatch) => keepRows(table, kept, side, batch, most);
  const names = wanted.map(({ streamId }) => nameBytes(streamId));
  await past.read(names, keep('past'));
  const looked = wanted.filter(({ versions }) => versions.length > 0);
  const tails = looked.map(({ streamId, versions }) => ({ streamId, fromVersion: versions[0]! }));
  const events = looked.reduce((sum, { eventsInAll }) => sum + eventsInAll, 0);
  const { totalEvents } = options;
  const ranges = tails.length === 0 ? [] : await planLive(snapshot, tails, { events, totalEvents });
  await readLive(snapshot, ranges, options.signal, keep('live'));
  return wanted.map(({ pastHead }, place) =>
    [...kept[place]!].flatMap(([version, sides]) => diffVersion(version, sides, pastHead, options)),
  );
}

function keepRows(
  table: StreamTable,
  kept: readonly ReadonlyMap<number, KeptVersion>[],
  side: keyof KeptVersion,
  batch: EventBatch,
  most: number,
): void {
  const { starts, lengths } = batch.stream;
  for (let row = 0; row < batch.count; row += 1) {
    const place = findStream(table, batch.bytes, starts[row]!, lengths[row]!);
    const version = place === -1 ? undefined : kept[place]!.get(batch.versions[row]!);
    if (version !== undefined && version[side].length < MOST_OF_VERSION)
      version[side].push(keepRow(batch, row, most));
  }
}

/** Names of types, and ids that are text, are shown up to here. */
const MOST_OF_NAME = 1 << 10;

function keepRow(batch: EventBatch, row: number, most: number): Kept {
  const { id, type, idKind } = batch;
  const text = batch.timeTexts?.get(row);
  return {
    key: Buffer.from(comparableId(batch, row)).toString('latin1'),
    typeDigest: fieldDigest(spanBytes(batch, type, row) ?? new Uint8Array(0)),
    side: {
      id: idKind === 'uuid' ? formatUuid(batch.bytes, id.starts[row]!) : shortText(batch, id, row),
      type: shortText(batch, type, row),
      time: text === undefined ? formatTime(batch.times[row]!) : shortened(text),
    },
    data: keepPayload(batch, batch.data, row, most),
    metadata: keepPayload(batch, batch.metadata, row, most),
  };
}

function shortText(batch: EventBatch, spans: Spans, row: number): string {
  const all = spanBytes(batch, spans, row);
  return all === null ? '' : shortened(all);
}

function shortened(all: Uint8Array): string {
  if (all.length <= MOST_OF_NAME) return nameText(all);
  return `${Buffer.from(all.subarray(0, MOST_OF_NAME)).toString()}…`;
}

function keepPayload(batch: EventBatch, spans: Spans, row: number, most: number): KeptPayload {
  const all = spanBytes(batch, spans, row);
  if (all === null) return { bytes: new Uint8Array(0), length: null, digest: '' };
  // Copied: the batch is borrowed, and `slice` of a Buffer would go with it.
  const bytes = Uint8Array.from(all.subarray(0, most));
  return { bytes, length: all.length, digest: fieldDigest(all) };
}

/** Events with the same id first; what then remains of both sides stands in the place of one another. */
function diffVersion(
  version: number,
  { past, live }: KeptVersion,
  pastHead: number | null,
  { payloads }: EventOptions,
): EventDiff[] {
  const left = [...live];
  const diffs: EventDiff[] = [];
  const unmatched: Kept[] = [];
  for (const event of past) {
    const at = left.findIndex(({ key }) => key === event.key);
    if (at === -1) unmatched.push(event);
    else diffs.push(...diffPair(version, 'changed', event, left.splice(at, 1)[0]!, payloads));
  }
  for (const event of unmatched) {
    const other = left.shift();
    if (other === undefined) diffs.push(alone(version, 'missing', event, payloads));
    else diffs.push(...diffPair(version, 'replaced', event, other, payloads));
  }
  const kind = pastHead === null || version > pastHead ? 'newer' : 'between';
  return [...diffs, ...left.map((event) => alone(version, kind, event, payloads))];
}

function diffPair(version: number, kind: DiffKind, past: Kept, live: Kept, payloads: boolean): EventDiff[] {
  const data = diffPayloads(past.data, live.data, payloads);
  const metadata = diffPayloads(past.metadata, live.metadata, payloads);
  const fields: EventField[] = [
    ...(past.typeDigest === live.typeDigest ? [] : ['type' as const]),
    ...(data === null ? [] : ['data' as const]),
    ...(metadata === null ? [] : ['metadata' as const]),
    ...(past.side.time === live.side.time ? [] : ['time' as const]),
    ...(past.key === live.key && past.side.id === live.side.id ? [] : ['id' as const]),
  ];
  if (fields.length === 0) return [];
  return [{ version, kind, past: past.side, live: live.side, fields, data, metadata }];
}

function alone(version: number, kind: EventDiff['kind'], event: Kept, payloads: boolean): EventDiff {
  const side: EventSide = payloads ? { ...event.side, excerpt: excerpt(event.data, 0) } : event.side;
  const isPast = kind === 'missing';
  return {
    ...{ version, kind, past: isPast ? side : null, live: isPast ? null : side },
    ...{ fields: [], data: null, metadata: null },
  };
}
