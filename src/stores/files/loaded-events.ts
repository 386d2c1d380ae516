import { isUtf8 } from 'node:buffer';
import fs from 'node:fs';
import path from 'node:path';
import { BackupError } from '../../core/errors.ts';
import { type EventBatch, type Spans, spanBytes } from '../../core/event-batch.ts';
import type { BatchWriter, StreamSummary } from '../../core/event-store.ts';
import { nameText } from '../../core/name-text.ts';
import { compareUtf8 } from '../../core/text-order.ts';
import { formatTime } from '../../core/time.ts';
import { formatUuid } from '../../core/uuid-text.ts';
import { inOneLine } from './json-lines.ts';
import { eventHalves } from './transaction.ts';

/**
 * Events of a restore. Their lines wait in files, each without its version, since that may have to be another one than the event's;
 * of each event it is known here where its line lies.
 */
export interface LoadedEvents {
  readonly spools: Spool[];
  readonly streams: string[];
  readonly streamNumbers: Map<string, number>;
  /** One entry for each event. */
  readonly ids: string[];
  readonly streamOf: number[];
  readonly versions: number[];
  /** As `created_at` of its transaction has it. */
  readonly times: string[];
  readonly spoolOf: number[];
  /** Where its line lies in its spool, and how long the parts before and behind the version are. */
  readonly places: number[];
  readonly heads: number[];
  readonly tails: number[];
}

interface Spool {
  readonly file: number;
  size: number;
}

export function noEvents(): LoadedEvents {
  return {
    ...{ spools: [], streams: [], streamNumbers: new Map() },
    ...{ ids: [], streamOf: [], versions: [], times: [] },
    ...{ spoolOf: [], places: [], heads: [], tails: [] },
  };
}

/** What of an event is not its place in a spool; a writer gives it over when it ends. */
interface Pending {
  readonly id: string;
  readonly stream: string;
  readonly version: number;
  readonly time: string;
  readonly place: number;
  readonly head: number;
  readonly tail: number;
}

export function openSpoolWriter(loaded: LoadedEvents, folder: string): BatchWriter {
  const spool: Spool = {
    file: fs.openSync(path.join(folder, `spool-${crypto.randomUUID()}`), 'wx+'),
    size: 0,
  };
  let pending: Pending[] = [];
  let isOpen = true;
  return {
    write: async (batch) => {
      const lines: string[] = [];
      for (let row = 0; row < batch.count; row += 1) {
        const { id, stream, version, time, head, tail } = lineOf(batch, row);
        const sizes = { head: Buffer.byteLength(head), tail: Buffer.byteLength(tail) };
        pending.push({ id, stream, version, time, place: spool.size, ...sizes });
        lines.push(head, tail);
        spool.size += sizes.head + sizes.tail;
      }
      writeAll(spool.file, Buffer.from(lines.join('')));
    },
    end: async () => {
      if (!isOpen) return;
      isOpen = false;
      const spoolNumber = loaded.spools.push(spool) - 1;
      for (const event of pending) addEvent(loaded, spoolNumber, event);
      pending = [];
    },
    abort: async () => {
      if (!isOpen) return;
      isOpen = false;
      pending = [];
      fs.closeSync(spool.file);
    },
  };
}

export function closeSpools({ spools }: LoadedEvents): void {
  for (const { file } of spools.splice(0)) fs.closeSync(file);
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(file, bytes, at);
}

function addEvent(loaded: LoadedEvents, spool: number, event: Pending): void {
  let stream = loaded.streamNumbers.get(event.stream);
  if (stream === undefined) {
    stream = loaded.streams.push(event.stream) - 1;
    loaded.streamNumbers.set(event.stream, stream);
  }
  loaded.ids.push(event.id);
  loaded.streamOf.push(stream);
  loaded.versions.push(event.version);
  loaded.times.push(event.time);
  loaded.spoolOf.push(spool);
  loaded.places.push(event.place);
  loaded.heads.push(event.head);
  loaded.tails.push(event.tail);
}

function lineOf(batch: EventBatch, row: number) {
  const id = idText(batch, row);
  const text = (spans: Spans, field: string): string => utf8(spanBytes(batch, spans, row), field, id);
  const stream = text(batch.stream, 'a stream id');
  const fields = {
    type: text(batch.type, 'a type'),
    data: json(text(batch.data, 'data'), 'data', id),
    metadata: json(text(batch.metadata, 'metadata'), 'metadata', id),
  };
  const own = batch.timeTexts?.get(row);
  const time = own === undefined ? timeText(batch.times[row]!) : utf8(own, 'a time', id);
  return { id, stream, version: batch.versions[row]!, time, ...eventHalves(id, stream, fields) };
}

/** As EventCore writes the time of a transaction. */
export function timeText(time: bigint): string {
  return formatTime(time).replace(/Z$/, '+00:00');
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function idText(batch: EventBatch, row: number): string {
  if (batch.idKind === 'uuid') return formatUuid(batch.bytes, batch.id.starts[row]!);
  const bytes = spanBytes(batch, batch.id, row);
  const text = bytes === null ? '' : nameText(bytes);
  if (UUID.test(text)) return text.toLowerCase();
  throw notStorable(`event ${JSON.stringify(text)} has an id that is no UUID`);
}

function utf8(bytes: Uint8Array | null, field: string, id: string): string {
  if (bytes === null) throw notStorable(`event ${id} has no value as ${field}`);
  if (isUtf8(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  throw notStorable(`event ${id} has ${field} that is no UTF-8`);
}

function json(text: string, field: string, id: string): string {
  try {
    JSON.parse(text);
  } catch {
    throw notStorable(`event ${id} has ${field} that is no JSON`);
  }
  return inOneLine(text);
}

export function notStorable(what: string): BackupError {
  return new BackupError('value_not_storable', `${what}: a store in files cannot hold it`, {
    hint: 'restore into SQLite or PostgreSQL, which can',
  });
}

/** The event's line with this version in it. */
export function readLine(loaded: LoadedEvents, event: number, version: number | string): Uint8Array {
  const head = loaded.heads[event]!;
  const tail = loaded.tails[event]!;
  const bytes = Buffer.alloc(head + tail);
  const { file } = loaded.spools[loaded.spoolOf[event]!]!;
  for (let at = 0; at < bytes.length; ) {
    const count = fs.readSync(file, bytes, at, bytes.length - at, loaded.places[event]! + at);
    if (count === 0) throw new BackupError('internal', 'a file of a restore ended early');
    at += count;
  }
  return Buffer.concat([bytes.subarray(0, head), Buffer.from(String(version)), bytes.subarray(head)]);
}

/**
 * The events of each stream by their versions, the first at 0. Throws `value_not_storable` for ids and versions that are there twice,
 * and for streams that do not go 1, 2, 3…: versions follow from the order here, so nothing else can be told apart.
 */
export function eventsByVersion(loaded: LoadedEvents): Uint32Array[] {
  assertUniqueIds(loaded);
  const counts = new Uint32Array(loaded.streams.length);
  for (const stream of loaded.streamOf) counts[stream]! += 1;
  const ordered = Array.from(counts, (count) => new Uint32Array(count).fill(NONE));
  for (const [event, stream] of loaded.streamOf.entries()) {
    const own = ordered[stream]!;
    const version = loaded.versions[event]!;
    const name = JSON.stringify(loaded.streams[stream]);
    if (version < 1 || version > own.length) {
      throw notStorable(
        `stream ${name} has version ${version} and ${own.length} events, so others are missing`,
      );
    }
    if (own[version - 1] !== NONE) throw notStorable(`stream ${name} has version ${version} twice`);
    own[version - 1] = event;
  }
  return ordered;
}

const NONE = 0xffff_ffff;

function assertUniqueIds({ ids }: LoadedEvents): void {
  const known = new Set<string>();
  for (const id of ids) {
    if (known.has(id)) throw notStorable(`event ${id} is there twice`);
    known.add(id);
  }
}

/** By stream in byte order of the names. */
export function summariesOf(loaded: LoadedEvents): StreamSummary[] {
  const summaries = new Map<number, { events: number; first: number; last: number; lastEvent: number }>();
  for (const [event, stream] of loaded.streamOf.entries()) {
    const version = loaded.versions[event]!;
    const own = summaries.get(stream);
    if (own === undefined) {
      summaries.set(stream, { events: 1, first: version, last: version, lastEvent: event });
      continue;
    }
    own.events += 1;
    own.first = Math.min(own.first, version);
    if (version >= own.last) Object.assign(own, { last: version, lastEvent: event });
  }
  return [...summaries]
    .map(([stream, { events, first, last, lastEvent }]) => ({
      ...{ streamId: loaded.streams[stream]!, events, firstVersion: first, lastVersion: last },
      lastEventId: loaded.ids[lastEvent]!,
    }))
    .sort((a, b) => compareUtf8(a.streamId, b.streamId));
}
