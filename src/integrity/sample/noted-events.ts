import { type EventBatch, NULL_LENGTH } from '../../core/event-batch.ts';
import { idText } from '../../core/event-id.ts';
import {
  findOrAdd,
  findStream,
  makeStreamTable,
  releaseTable,
  type StreamTable,
} from '../../core/stream-table.ts';
import { formatUuid, parseUuid, UUID_BYTES } from '../../core/uuid-text.ts';
import { eventDigest } from '../../format/content-digest.ts';

/**
 * Events of a live store that are to be held against a backup: of each its stream, version, id, time and digest, in columns. About 80 bytes
 * an event, whatever it holds; several may have the same stream and version.
 */
export interface NotedEvents {
  count: number;
  capacity: number;
  readonly streams: StreamTable;
  stream: Uint32Array;
  version: Float64Array;
  time: BigInt64Array;
  block: Uint32Array;
  /** One of `NOTED`. */
  state: Uint8Array;
  /** The caller's own number for each event. */
  mark: Uint8Array;
  ids: Uint8Array;
  /** Ids that are no UUIDs. */
  readonly textIds: Map<number, string>;
  digests: Uint8Array;
  /** Open addressing over stream and version. */
  slots: Int32Array;
}

/** What the backup was found to have in the place of a noted event. */
export const NOTED = {
  /** Nothing so far. */
  open: 0,
  /** This event, just as it is. */
  equal: 1,
  /** This event with other content. */
  changed: 2,
  /** Another event. */
  other: 3,
  /** By its heads nothing: it came after the backup. */
  later: 4,
  /** By its heads nothing, where an event cannot have come after it. */
  unknown: 5,
} as const;

const FIRST_CAPACITY = 512;
const DIGEST_BYTES = 32;
const EMPTY = -1;

export function makeNotedEvents(): NotedEvents {
  return {
    ...{ count: 0, capacity: FIRST_CAPACITY, streams: makeStreamTable(), textIds: new Map() },
    ...makeColumns(FIRST_CAPACITY),
    slots: new Int32Array(FIRST_CAPACITY * 2).fill(EMPTY),
  };
}

function makeColumns(capacity: number) {
  return {
    stream: new Uint32Array(capacity),
    version: new Float64Array(capacity),
    time: new BigInt64Array(capacity),
    block: new Uint32Array(capacity),
    state: new Uint8Array(capacity),
    mark: new Uint8Array(capacity),
    ids: new Uint8Array(capacity * UUID_BYTES),
    digests: new Uint8Array(capacity * DIGEST_BYTES),
  };
}

export function releaseNoted(noted: NotedEvents): void {
  releaseTable(noted.streams);
}

export function noteEvent(
  noted: NotedEvents,
  batch: EventBatch,
  row: number,
  { block, mark }: { readonly block: number; readonly mark: number },
): void {
  if (noted.count === noted.capacity) grow(noted);
  const at = noted.count;
  noted.count += 1;
  const { starts, lengths } = batch.stream;
  const length = lengths[row]!;
  noted.stream[at] = findOrAdd(noted.streams, batch.bytes, starts[row]!, length === NULL_LENGTH ? 0 : length);
  noted.version[at] = batch.versions[row]!;
  noted.time[at] = batch.times[row]!;
  noted.block[at] = block;
  noted.state[at] = NOTED.open;
  noted.mark[at] = mark;
  noted.digests.set(eventDigest(batch, row), at * DIGEST_BYTES);
  noteId(noted, at, batch, row);
  insert(noted, at);
}

function noteId({ ids, textIds }: NotedEvents, at: number, batch: EventBatch, row: number): void {
  const [start, length] = [batch.id.starts[row]!, batch.id.lengths[row]!];
  if (batch.idKind === 'uuid') ids.set(batch.bytes.subarray(start, start + UUID_BYTES), at * UUID_BYTES);
  else if (length === NULL_LENGTH) textIds.set(at, '');
  else if (!parseUuid(batch.bytes, start, length, ids, at * UUID_BYTES)) textIds.set(at, idText(batch, row));
}

/** The id of a noted event: canonical UUID text, or the text that the store has. */
export function notedId({ ids, textIds }: NotedEvents, at: number): string {
  return textIds.get(at) ?? formatUuid(ids, at * UUID_BYTES);
}

/** Holds every event of a backup's batch against those that are noted. */
export function compareBatch(noted: NotedEvents, batch: EventBatch): void {
  const { bytes, stream, streamNumbers, versions } = batch;
  const known: number[] = [];
  for (let row = 0; row < batch.count; row += 1) {
    const number = streamNumbers?.[row];
    let index = number === undefined ? undefined : known[number];
    index ??= findStream(noted.streams, bytes, stream.starts[row]!, stream.lengths[row]!);
    if (number !== undefined) known[number] = index;
    if (index !== -1) compareRow(noted, index, versions[row]!, { batch, row });
  }
}

function compareRow(
  noted: NotedEvents,
  stream: number,
  version: number,
  { batch, row }: { readonly batch: EventBatch; readonly row: number },
): void {
  const mask = noted.slots.length - 1;
  let digest: Uint8Array | null = null;
  for (let slot = hashOf(stream, version) & mask; noted.slots[slot] !== EMPTY; slot = (slot + 1) & mask) {
    const at = noted.slots[slot]!;
    if (noted.stream[at] !== stream || noted.version[at] !== version || noted.state[at] === NOTED.equal)
      continue;
    digest ??= eventDigest(batch, row);
    if (isDigest(noted, at, digest)) noted.state[at] = NOTED.equal;
    else if (idText(batch, row).toLowerCase() === notedId(noted, at).toLowerCase())
      noted.state[at] = NOTED.changed;
    else if (noted.state[at] !== NOTED.changed) noted.state[at] = NOTED.other;
  }
}

function isDigest({ digests }: NotedEvents, at: number, digest: Uint8Array): boolean {
  const start = at * DIGEST_BYTES;
  for (let i = 0; i < DIGEST_BYTES; i += 1) if (digests[start + i] !== digest[i]) return false;
  return true;
}

function hashOf(stream: number, version: number): number {
  const low = version | 0;
  const mixed = Math.imul(stream ^ Math.imul(low, 0x85eb_ca6b), 0x9e37_79b1);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

function insert(noted: NotedEvents, at: number): void {
  const mask = noted.slots.length - 1;
  let slot = hashOf(noted.stream[at]!, noted.version[at]!) & mask;
  while (noted.slots[slot] !== EMPTY) slot = (slot + 1) & mask;
  noted.slots[slot] = at;
}

function grow(noted: NotedEvents): void {
  const larger = makeColumns(noted.capacity * 2);
  for (const key of ['stream', 'version', 'block', 'state', 'mark', 'ids', 'digests'] as const)
    larger[key].set(noted[key]);
  larger.time.set(noted.time);
  Object.assign(noted, larger);
  noted.capacity *= 2;
  noted.slots = new Int32Array(noted.capacity * 2).fill(EMPTY);
  for (let at = 0; at < noted.count; at += 1) insert(noted, at);
}
