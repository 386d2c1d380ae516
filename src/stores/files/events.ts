import { hash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { StoredEvent } from '../../core/event.ts';
import { type EventBatch, makeSpans, type Spans } from '../../core/event-batch.ts';
import { formatTime, parseTime, TIME_MINUS_INFINITY } from '../../core/time.ts';
import { parseUuid, UUID_BYTES } from '../../core/uuid-text.ts';
import { guarded } from './errors.ts';
import type { History, Transaction } from './history.ts';
import { decodeString, type EventSpans, linesOf, sliceText, stringBytes, valueSpans } from './json-lines.ts';
import { EVENTS } from './paths.ts';

/** A file's bytes as they were when the history was read. Throws `damaged` when they are others now. */
export async function readTransaction({ config }: History, transaction: Transaction): Promise<Uint8Array> {
  const { file, digest } = transaction;
  const bytes = await guarded(`read ${file} of ${config.address}`, () =>
    fs.readFileSync(path.join(config.root, EVENTS, file)),
  );
  if (hash('sha256', bytes, 'hex') === digest) return bytes;
  throw new BackupError('damaged', `${file} of ${config.address} was changed while it was read`, {
    hint: 'transactions never change: find out what writes into events/, then try again',
  });
}

/** Of the values of each line of a payload. */
export function* eventSpans(bytes: Uint8Array): Generator<EventSpans> {
  for (const line of linesOf(bytes, bytes.indexOf(0x0a) + 1)) yield valueSpans(bytes, line)!;
}

/** Events from one number to another (exclusive) in the order of a history. */
export interface EventSlice {
  readonly from: number;
  readonly to: number;
}

export async function* readBatches(
  history: History,
  { from, to }: EventSlice,
  { batchBytes, signal }: { batchBytes: number; signal?: AbortSignal },
): AsyncGenerator<EventBatch> {
  const { transactions, starts, versions } = history;
  const batch = batchBuilder();
  for (let i = transactionAt(starts, from); i < transactions.length && starts[i]! < to; i += 1) {
    throwIfAborted(signal);
    const bytes = await readTransaction(history, transactions[i]!);
    const time = parseTime(transactions[i]!.createdAt);
    batch.note(bytes);
    let number = starts[i]! - 1;
    for (const spans of eventSpans(bytes)) {
      number += 1;
      if (number < from || number >= to) continue;
      if (batch.count() > 0 && batch.sizeBytes() + fieldBytes(spans) > batchBytes) {
        yield batch.take();
        throwIfAborted(signal);
      }
      batch.add(bytes, spans, versions[number]!, time);
    }
    if (i % 64 === 0) await nextTurn();
  }
  throwIfAborted(signal);
  if (batch.count() > 0) yield batch.take();
}

/** The transaction that an event is in, by the number of the event. */
function transactionAt(starts: readonly number[], event: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= event) low = middle;
    else high = middle - 1;
  }
  return low;
}

const FIELDS = ['stream_id', 'event_type', 'event_data', 'metadata'] as const;

function fieldBytes(spans: EventSpans): number {
  return FIELDS.reduce((sum, key) => sum + spans[key]!.end - spans[key]!.start, UUID_BYTES);
}

/** Copies events behind one another until they are taken as a batch. */
function batchBuilder() {
  let bytes = new Uint8Array(1 << 16);
  let used = 0;
  let columns = newColumns();
  let hasReturns = false;
  const append = (column: { starts: number[]; lengths: number[] }, value: Uint8Array): void => {
    if (used + value.length > bytes.length) bytes = grown(bytes, used + value.length);
    bytes.set(value, used);
    column.starts.push(used);
    column.lengths.push(value.length);
    used += value.length;
  };
  return {
    count: () => columns.versions.length,
    sizeBytes: () => used,
    /** The next events are of this file. */
    note: (file: Uint8Array): void => {
      // The only line break that can stand in a line of a file, between values.
      hasReturns ||= file.includes(0x0d);
    },
    add: (file: Uint8Array, spans: EventSpans, version: number, time: bigint | null): void => {
      append(columns.id, idBytes(file, spans));
      append(columns.stream, stringBytes(file, spans.stream_id!));
      append(columns.type, stringBytes(file, spans.event_type!));
      append(columns.data, file.subarray(spans.event_data!.start, spans.event_data!.end));
      append(columns.metadata, file.subarray(spans.metadata!.start, spans.metadata!.end));
      columns.versions.push(version);
      columns.times.push(time ?? TIME_MINUS_INFINITY);
    },
    take: (): EventBatch => {
      const { id, stream, type, data, metadata, versions, times } = columns;
      const batch: EventBatch = {
        ...{ count: versions.length, bytes: bytes.subarray(0, used), idKind: 'uuid' },
        ...{ id: toSpans(id), stream: toSpans(stream), type: toSpans(type) },
        ...{ data: toSpans(data), metadata: toSpans(metadata) },
        versions: Float64Array.from(versions),
        times: BigInt64Array.from(times),
        timeTexts: null,
        jsonIsCompact: !hasReturns,
      };
      columns = newColumns();
      used = 0;
      return batch;
    },
  };
}

function newColumns() {
  const column = (): { starts: number[]; lengths: number[] } => ({ starts: [], lengths: [] });
  return {
    ...{ id: column(), stream: column(), type: column(), data: column(), metadata: column() },
    versions: [] as number[],
    times: [] as bigint[],
  };
}

function toSpans({ starts, lengths }: { starts: readonly number[]; lengths: readonly number[] }): Spans {
  const spans = makeSpans(starts.length);
  spans.starts.set(starts);
  spans.lengths.set(lengths);
  return spans;
}

function grown(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(size, bytes.length * 2));
  larger.set(bytes);
  return larger;
}

function idBytes(file: Uint8Array, spans: EventSpans): Uint8Array {
  const id = new Uint8Array(UUID_BYTES);
  const { start, end } = spans.event_id!;
  if (parseUuid(file, start + 1, end - start - 2, id, 0)) return id;
  return Buffer.from(decodeString(file, spans.event_id!).replaceAll('-', ''), 'hex');
}

/** Single events by their numbers, ascending, each file being read once. */
export async function* readEvents(history: History, numbers: readonly number[]): AsyncGenerator<StoredEvent> {
  const { transactions, starts } = history;
  let at = 0;
  while (at < numbers.length) {
    const i = transactionAt(starts, numbers[at]!);
    const bytes = await readTransaction(history, transactions[i]!);
    const lines = Array.from(eventSpans(bytes));
    for (; at < numbers.length && numbers[at]! < starts[i + 1]!; at += 1) {
      yield storedEvent(history, bytes, lines[numbers[at]! - starts[i]!]!, numbers[at]!, transactions[i]!);
    }
  }
}

function storedEvent(
  { versions, streamOf, streams }: History,
  bytes: Uint8Array,
  spans: EventSpans,
  number: number,
  { createdAt }: Transaction,
): StoredEvent {
  const time = parseTime(createdAt);
  return {
    id: decodeString(bytes, spans.event_id!).toLowerCase(),
    streamId: streams[streamOf[number]!]!.streamId,
    version: BigInt(versions[number]!),
    type: decodeString(bytes, spans.event_type!),
    data: sliceText(bytes, spans.event_data!),
    metadata: sliceText(bytes, spans.metadata!),
    recordedAt: time === null ? createdAt : formatTime(time),
  };
}
