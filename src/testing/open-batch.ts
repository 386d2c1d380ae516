import { type EventBatch, makeSpans, type Spans } from '../core/event-batch.ts';

/** A batch that is being gathered event by event, in buffers that are used again for the next one. */
export interface OpenBatch {
  readonly bytes: Buffer;
  at: number;
  count: number;
  readonly id: Spans;
  readonly stream: Spans;
  readonly type: Spans;
  readonly data: Spans;
  readonly metadata: Spans;
  readonly versions: Float64Array;
  readonly times: BigInt64Array;
}

/** An event to be added. All but `data` is ASCII. */
export interface MadeEvent {
  /** 16 bytes. */
  readonly id: Uint8Array;
  readonly stream: string;
  readonly version: number;
  readonly type: string;
  readonly data: string;
  readonly metadata: string;
  readonly time: bigint;
}

/** Room for `capacity` events of `sizeBytes` in all; the caller closes it before it is full. */
export function makeOpenBatch(capacity: number, sizeBytes: number): OpenBatch {
  return {
    bytes: Buffer.allocUnsafeSlow(sizeBytes),
    ...{ at: 0, count: 0, id: makeSpans(capacity), stream: makeSpans(capacity), type: makeSpans(capacity) },
    ...{ data: makeSpans(capacity), metadata: makeSpans(capacity) },
    versions: new Float64Array(capacity),
    times: new BigInt64Array(capacity),
  };
}

/** The texts of an event are written in one go: of them only the data is more than ASCII. */
export function addEvent(open: OpenBatch, event: MadeEvent): void {
  const { bytes, count } = open;
  const { id, stream, type, data, metadata } = event;
  for (let i = 0; i < id.length; i += 1) bytes[open.at + i] = id[i]!;
  const asciiBytes = stream.length + type.length + metadata.length;
  const writtenBytes = bytes.write(stream + type + metadata + data, open.at + id.length, 'utf8');
  noteSpan(open, open.id, id.length);
  noteSpan(open, open.stream, stream.length);
  noteSpan(open, open.type, type.length);
  noteSpan(open, open.metadata, metadata.length);
  noteSpan(open, open.data, writtenBytes - asciiBytes);
  open.versions[count] = event.version;
  open.times[count] = event.time;
  open.count = count + 1;
}

function noteSpan(open: OpenBatch, spans: Spans, length: number): void {
  spans.starts[open.count] = open.at;
  spans.lengths[open.count] = length;
  open.at += length;
}

/** What was gathered, as a batch; the next one is gathered in its place. */
export function closeBatch(open: OpenBatch): EventBatch {
  const { bytes, at, count, id, stream, type, data, metadata, versions, times } = open;
  open.at = 0;
  open.count = 0;
  const columns = { id, stream, type, data, metadata, versions, times };
  return {
    count,
    bytes: bytes.subarray(0, at),
    idKind: 'uuid',
    ...columns,
    timeTexts: null,
    jsonIsCompact: true,
  };
}
